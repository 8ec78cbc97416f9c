// Package codegen stands in for the Pulumi YAML code generator, whose published
// module versions do not compile with the bridge's Pulumi version. The bridge
// can translate examples to YAML; a Python program never asks for that, so the
// translation is refused.
package codegen

import (
	"errors"

	"github.com/hashicorp/hcl/v2"
	"github.com/pulumi/pulumi/pkg/v3/codegen/pcl"
)

// GenerateProgram refuses: no example is translated to YAML in this build.
func GenerateProgram(*pcl.Program) (map[string][]byte, hcl.Diagnostics, error) {
	return nil, nil, errors.New("this build does not translate programs to YAML")
}
