package server

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/resources"
)

// log returns where a resource's messages go: the engine, under the resource's name.
func (s *Server) log(call context.Context, urn resource.URN) resources.Log {
	return engineLog{server: s, call: call, urn: urn}
}

type engineLog struct {
	server *Server
	call   context.Context //nolint:containedctx // a log lives within one call
	urn    resource.URN
}

// Messages are for people: that one is lost does not fail the operation.

func (l engineLog) Status(line string) {
	if host := l.server.host.Load(); host != nil {
		_ = host.LogStatus(l.call, diag.Info, l.urn, line)
	}
}

func (l engineLog) Warn(line string) {
	if host := l.server.host.Load(); host != nil {
		_ = host.Log(l.call, diag.Warning, l.urn, line)
	}
}
