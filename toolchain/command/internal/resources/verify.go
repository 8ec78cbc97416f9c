package resources

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/local"
	"practicum/toolchain/command/internal/schema"
	"practicum/toolchain/command/internal/value"
)

const highestPort = 65535

func verifyConnection(inputs resource.PropertyMap) []schema.Failure {
	connection := value.Map(inputs, "connection")
	failures := verifyEndpoint(connection, "connection")
	return append(failures, verifyEndpoint(value.Map(connection, "proxy"), "connection.proxy")...)
}

func verifyEndpoint(endpoint resource.PropertyMap, path string) []schema.Failure {
	var failures []schema.Failure
	fail := func(name, reason string) {
		failures = append(failures, schema.Failure{Path: path + "." + name, Reason: reason})
	}
	if host, known := value.Text(endpoint, "host"); known && host == "" {
		fail("host", "a name or an address is expected, not an empty text")
	}
	if endpoint["port"].IsNumber() {
		port := endpoint["port"].NumberValue()
		if port < 1 || port > highestPort || port != float64(int(port)) {
			fail("port", fmt.Sprintf("a whole number from 1 to %d is expected", highestPort))
		}
	}
	if value.Whole(endpoint, "dialErrorLimit", 0) < -1 {
		fail("dialErrorLimit", "-1 (no limit), 0 or more is expected")
	}
	if value.Whole(endpoint, "perDialTimeout", 0) < 0 {
		fail("perDialTimeout", "0 (no limit) or more seconds are expected")
	}
	return failures
}

func verifyPatterns(inputs resource.PropertyMap) []schema.Failure {
	var failures []schema.Failure
	for _, key := range []resource.PropertyKey{"assetPaths", "archivePaths"} {
		if err := local.CheckPatterns(value.Texts(inputs, key)); err != nil {
			failures = append(failures, schema.Failure{Path: string(key), Reason: err.Error()})
		}
	}
	return failures
}
