// Package server speaks Pulumi's provider protocol for the package.
package server

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"practicum/toolchain/command/internal/resources"
	"practicum/toolchain/command/internal/schema"
)

// Name is the package's name.
const Name = "command"

var errCancelled = errors.New("the operation was cancelled")

// Server answers the engine's calls.
type Server struct {
	pulumirpc.UnimplementedResourceProviderServer

	pkg     schema.Package
	version string
	kinds   map[string]resources.Resource
	host    atomic.Pointer[provider.HostClient]
	// stopped ends when the engine cancels; every operation ends with it.
	stopped context.Context //nolint:containedctx // its life is the server's
	stop    context.CancelCauseFunc
}

// New returns a server that logs to the host; without one it waits for Attach.
func New(version string, host *provider.HostClient) *Server {
	stopped, stop := context.WithCancelCause(context.Background())
	s := &Server{pkg: schema.Command(), version: version, kinds: resources.All(), stopped: stopped, stop: stop}
	s.host.Store(host)
	return s
}

// Handshake says what values the provider understands.
func (s *Server) Handshake(
	context.Context, *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return &pulumirpc.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true}, nil
}

// Attach connects to the engine of a debugging session.
func (s *Server) Attach(_ context.Context, r *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	host, err := provider.NewHostClient(r.GetAddress())
	if err != nil {
		return nil, err
	}
	if before := s.host.Swap(host); before != nil {
		if err := before.Close(); err != nil {
			return nil, err
		}
	}
	return &emptypb.Empty{}, nil
}

// GetPluginInfo answers the version.
func (s *Server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: s.version}, nil
}

// GetSchema answers the package's schema.
func (s *Server) GetSchema(_ context.Context, r *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	if r.GetVersion() != 0 {
		return nil, status.Errorf(codes.InvalidArgument, "schema version %d is not known", r.GetVersion())
	}
	text, err := s.pkg.JSON(Name, s.version)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.GetSchemaResponse{Schema: string(text)}, nil
}

// CheckConfig accepts any configuration: the package has none of its own.
func (s *Server) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// DiffConfig finds no difference: the package has no configuration of its own.
func (s *Server) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure says what values the provider understands, as Handshake does.
func (s *Server) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, AcceptResources: true, SupportsPreview: true}, nil
}

// Cancel ends all operations that run.
func (s *Server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.stop(errCancelled)
	return &emptypb.Empty{}, nil
}

// operation returns a context that ends with the call, with Cancel, and after the resource's custom
// timeout in seconds, if there is one.
func (s *Server) operation(call context.Context, timeout float64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(call)
	release := context.AfterFunc(s.stopped, func() { cancel(context.Cause(s.stopped)) })
	done := func() { release(); cancel(nil) }
	if timeout <= 0 {
		return ctx, done
	}
	limit := time.Duration(timeout * float64(time.Second))
	ctx, end := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the custom timeout of %s is over", limit))
	return ctx, func() { end(); done() }
}

// kind finds the resource that a URN names.
func (s *Server) kind(urn string) (schema.Resource, resources.Resource, resource.URN, error) {
	parsed, err := resource.ParseURN(urn)
	if err != nil {
		return schema.Resource{}, nil, "", status.Errorf(codes.InvalidArgument, "%q is no URN", urn)
	}
	token := string(parsed.Type())
	description, known := s.pkg.Resource(token)
	if !known {
		return schema.Resource{}, nil, "", status.Errorf(codes.NotFound, "there is no resource %s", token)
	}
	return description, s.kinds[token], parsed, nil
}

// The engine sends and takes unknown, secret and resource values as such.
var wire = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}

func read(values *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(values, wire)
}

func write(values resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(values, wire)
}
