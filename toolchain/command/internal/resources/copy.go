package resources

import (
	"context"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/mask"
	"practicum/toolchain/command/internal/remote"
	"practicum/toolchain/command/internal/schema"
	"practicum/toolchain/command/internal/value"
)

// copyToRemote is remote:CopyToRemote.
type copyToRemote struct{}

func (copyToRemote) Verify(inputs resource.PropertyMap) []schema.Failure {
	failures := verifyConnection(inputs)
	source := value.Reveal(inputs["source"])
	switch {
	case source.IsAsset() && source.AssetValue().IsURI():
		failures = append(failures, schema.Failure{Path: "source", Reason: "an asset must be a FileAsset or a StringAsset"})
	case source.IsArchive() && !source.ArchiveValue().IsPath():
		failures = append(failures, schema.Failure{Path: "source", Reason: "an archive must be a FileArchive"})
	}
	return failures
}

func (c copyToRemote) Create(ctx context.Context, r Request) (string, resource.PropertyMap, error) {
	id, err := newID("")
	if err != nil {
		return "", nil, err
	}
	if err := c.copy(ctx, r); err != nil {
		return "", nil, err
	}
	return id, state(r.Inputs, nil), nil
}

// Update copies only if the content or the path has changed.
func (c copyToRemote) Update(ctx context.Context, r Request) (resource.PropertyMap, error) {
	before, now := value.RevealAll(r.State), value.RevealAll(r.Inputs)
	same := before["remotePath"].DeepEquals(now["remotePath"]) && contentHash(before["source"]) != "" &&
		contentHash(before["source"]) == contentHash(now["source"])
	if !same {
		if err := c.copy(ctx, r); err != nil {
			return nil, err
		}
	}
	return state(r.Inputs, nil), nil
}

// Delete leaves the copy where it is, as published.
func (copyToRemote) Delete(context.Context, Request) error { return nil }

func (copyToRemote) copy(ctx context.Context, r Request) error {
	inputs := value.RevealAll(r.Inputs)
	destination := value.TextOr(inputs, "remotePath", "")
	return copying(ctx, r, func(c remote.Copier) error {
		source := inputs["source"]
		switch {
		case source.IsAsset() && source.AssetValue().IsPath():
			return c.Path(source.AssetValue().Path, destination)
		case source.IsAsset():
			return c.Text(source.AssetValue().Text, destination)
		default:
			return c.Path(source.ArchiveValue().Path, destination)
		}
	})
}

func contentHash(source resource.PropertyValue) string {
	switch {
	case source.IsAsset():
		return source.AssetValue().Hash
	case source.IsArchive():
		return source.ArchiveValue().Hash
	default:
		return ""
	}
}

// copyFile is remote:CopyFile.
type copyFile struct{}

func (copyFile) Verify(inputs resource.PropertyMap) []schema.Failure { return verifyConnection(inputs) }

func (copyFile) Create(ctx context.Context, r Request) (string, resource.PropertyMap, error) {
	id, err := newID("")
	if err != nil {
		return "", nil, err
	}
	err = copying(ctx, r, func(c remote.Copier) error {
		return c.File(value.TextOr(r.Inputs, "localPath", ""), value.TextOr(r.Inputs, "remotePath", ""))
	})
	if err != nil {
		return "", nil, err
	}
	return id, state(r.Inputs, nil), nil
}

func (copyFile) Update(context.Context, Request) (resource.PropertyMap, error) {
	return nil, errNoUpdate
}

// Delete leaves the copy where it is, as published.
func (copyFile) Delete(context.Context, Request) error { return nil }

func copying(ctx context.Context, r Request, use func(remote.Copier) error) error {
	connection := remote.ReadConnection(value.Map(r.Inputs, "connection"))
	client, err := remote.Dial(ctx, connection, r.Log.Status)
	if err == nil {
		err = remote.WithCopier(ctx, client, use)
		if closeErr := client.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		paths := resource.PropertyMap{"remotePath": r.Inputs["remotePath"], "localPath": r.Inputs["localPath"]}
		return errors.New(mask.Of(paths, connection.Secrets()...).Apply(err.Error()))
	}
	return nil
}
