package resources

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/local"
	"practicum/toolchain/command/internal/remote"
	"practicum/toolchain/command/internal/value"
)

func runLocal(ctx context.Context, r run) (resource.PropertyMap, error) {
	dir := value.TextOr(r.inputs, "dir", "")
	err := local.Run(ctx, local.Command{
		Text:        r.text,
		Interpreter: value.Texts(r.inputs, "interpreter"),
		Dir:         dir,
		Environment: value.TextMap(r.inputs, "environment"),
		Previous:    r.previous,
		Stdin:       value.TextOr(r.inputs, "stdin", ""),
	}, r.out, r.log.Warn)
	if err != nil {
		return nil, err
	}
	results := resource.PropertyMap{}
	if patterns := value.Texts(r.inputs, "assetPaths"); patterns != nil {
		if results["assets"], err = local.Assets(dir, patterns); err != nil {
			return nil, err
		}
	}
	if patterns := value.Texts(r.inputs, "archivePaths"); patterns != nil {
		if results["archive"], err = local.Archive(dir, patterns); err != nil {
			return nil, err
		}
	}
	return results, nil
}

func runRemote(ctx context.Context, r run) (resource.PropertyMap, error) {
	client, err := remote.Dial(ctx, remote.ReadConnection(value.Map(r.inputs, "connection")), r.log.Status)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck // the command's result is known by then
	err = remote.Run(ctx, client, remote.Command{
		Text:        r.text,
		Environment: value.TextMap(r.inputs, "environment"),
		Previous:    r.previous,
		Stdin:       value.TextOr(r.inputs, "stdin", ""),
	}, r.out, r.log.Warn)
	if err != nil {
		return nil, err
	}
	return resource.PropertyMap{}, nil
}

// Run is the function local:run.
func Run(ctx context.Context, inputs resource.PropertyMap, log Log) (resource.PropertyMap, error) {
	results, err := execute(ctx, runLocal, Request{Inputs: inputs, Log: log}, "command")
	if err != nil {
		return nil, err
	}
	return state(inputs, results), nil
}
