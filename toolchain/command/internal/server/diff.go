package server

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"practicum/toolchain/command/internal/schema"
)

// Diff compares inputs with those of the last operation. Every change counts; what replaces says the
// package's description.
func (s *Server) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	description, _, _, err := s.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := s.oldInputs(description, r.GetOldInputs(), r.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	news, _ = s.pkg.Check(description.Inputs, news)
	return compare(description, olds, news), nil
}

// oldInputs are the inputs before, or what the state kept of them. They go through the same
// completion as new ones: a default that an older release did not write is no change.
func (s *Server) oldInputs(description schema.Resource, inputs, state *structpb.Struct) (resource.PropertyMap, error) {
	source := inputs
	if source == nil {
		source = state
	}
	values, err := read(source)
	if err != nil {
		return nil, err
	}
	olds := resource.PropertyMap{}
	for _, p := range description.Inputs {
		if v, ok := values[resource.PropertyKey(p.Name)]; ok {
			olds[resource.PropertyKey(p.Name)] = v
		}
	}
	olds, _ = s.pkg.Check(description.Inputs, olds)
	return olds, nil
}

func compare(description schema.Resource, olds, news resource.PropertyMap) *pulumirpc.DiffResponse {
	changes := plugin.NewDetailedDiffFromObjectDiff(olds.Diff(news), true)
	response := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		HasDetailedDiff: true,
		DetailedDiff:    map[string]*pulumirpc.PropertyDiff{},
	}
	changed, replacing := map[string]bool{}, map[string]bool{}
	for path, change := range changes {
		root, _, _ := strings.Cut(path, ".")
		root, _, _ = strings.Cut(root, "[")
		changed[root] = true
		kind := change.Kind
		if description.Replaces(root) {
			replacing[root] = true
			kind = kind.AsReplace()
		}
		response.DetailedDiff[path] = &pulumirpc.PropertyDiff{Kind: kinds[kind], InputDiff: change.InputDiff}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
	}
	response.Diffs = slices.Sorted(maps.Keys(changed))
	response.Replaces = slices.Sorted(maps.Keys(replacing))
	return response
}

var kinds = map[plugin.DiffKind]pulumirpc.PropertyDiff_Kind{
	plugin.DiffAdd:           pulumirpc.PropertyDiff_ADD,
	plugin.DiffAddReplace:    pulumirpc.PropertyDiff_ADD_REPLACE,
	plugin.DiffDelete:        pulumirpc.PropertyDiff_DELETE,
	plugin.DiffDeleteReplace: pulumirpc.PropertyDiff_DELETE_REPLACE,
	plugin.DiffUpdate:        pulumirpc.PropertyDiff_UPDATE,
	plugin.DiffUpdateReplace: pulumirpc.PropertyDiff_UPDATE_REPLACE,
}
