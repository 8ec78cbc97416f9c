package server

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"practicum/toolchain/command/internal/resources"
	"practicum/toolchain/command/internal/schema"
)

// Check completes a resource's inputs, or says what is wrong with them.
func (s *Server) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	description, kind, _, err := s.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	news, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	checked, failures := s.pkg.Check(description.Inputs, news)
	if len(failures) == 0 {
		failures = kind.Verify(checked)
	}
	inputs, err := write(checked)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: inputs, Failures: report(failures)}, nil
}

func report(failures []schema.Failure) []*pulumirpc.CheckFailure {
	reported := make([]*pulumirpc.CheckFailure, len(failures))
	for i, f := range failures {
		reported[i] = &pulumirpc.CheckFailure{Property: f.Path, Reason: f.Reason}
	}
	return reported
}

// Create makes a resource. In a preview it only says what outputs there will be.
func (s *Server) Create(call context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	description, kind, urn, err := s.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := read(r.GetProperties())
	if err != nil {
		return nil, err
	}
	if r.GetPreview() {
		properties, err := write(expected(description, inputs))
		return &pulumirpc.CreateResponse{Properties: properties}, err
	}
	ctx, cancel := s.operation(call, r.GetTimeout())
	defer cancel()
	id, made, err := kind.Create(ctx, resources.Request{Name: urn.Name(), Inputs: inputs, Log: s.log(call, urn)})
	if err != nil {
		return nil, failed(err)
	}
	properties, err := write(made)
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, err
}

// Update changes a resource. In a preview it only says what outputs there will be.
func (s *Server) Update(call context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	description, kind, urn, err := s.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := read(r.GetOlds())
	if err != nil {
		return nil, err
	}
	if r.GetPreview() {
		properties, err := write(expected(description, inputs))
		return &pulumirpc.UpdateResponse{Properties: properties}, err
	}
	ctx, cancel := s.operation(call, r.GetTimeout())
	defer cancel()
	request := resources.Request{Name: urn.Name(), Inputs: inputs, State: olds, Log: s.log(call, urn)}
	changed, err := kind.Update(ctx, request)
	if err != nil {
		return nil, failed(err)
	}
	properties, err := write(changed)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// Delete removes a resource, by what its state says.
func (s *Server) Delete(call context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	_, kind, urn, err := s.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := read(r.GetProperties())
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.operation(call, r.GetTimeout())
	defer cancel()
	if err := kind.Delete(ctx, resources.Request{Name: urn.Name(), Inputs: olds, Log: s.log(call, urn)}); err != nil {
		return nil, failed(err)
	}
	return &emptypb.Empty{}, nil
}

// Read answers what is known: a command that has run leaves nothing to look at.
func (s *Server) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: r.GetId(), Properties: r.GetProperties(), Inputs: r.GetInputs()}, nil
}

// Invoke runs a function, in previews too.
func (s *Server) Invoke(call context.Context, r *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	function, known := s.pkg.Function(r.GetTok())
	if !known {
		return nil, status.Errorf(codes.NotFound, "there is no function %s", r.GetTok())
	}
	arguments, err := read(r.GetArgs())
	if err != nil {
		return nil, err
	}
	checked, failures := s.pkg.Check(function.Inputs, arguments)
	if len(failures) > 0 {
		return &pulumirpc.InvokeResponse{Failures: report(failures)}, nil
	}
	ctx, cancel := s.operation(call, 0)
	defer cancel()
	result, err := resources.Run(ctx, checked, s.log(call, ""))
	if err != nil {
		return nil, failed(err)
	}
	values, err := write(result)
	return &pulumirpc.InvokeResponse{Return: values}, err
}

// expected is a resource's state as far as a preview can know it: inputs as they are, results unknown.
func expected(description schema.Resource, inputs resource.PropertyMap) resource.PropertyMap {
	outputs := inputs.Copy()
	for _, p := range description.Results {
		if p.OnlyWith != "" && !inputs.HasValue(resource.PropertyKey(p.OnlyWith)) {
			continue
		}
		outputs[resource.PropertyKey(p.Name)] = resource.MakeComputed(resource.NewProperty(""))
	}
	return outputs
}

func failed(err error) error { return status.Error(codes.Unknown, err.Error()) }
