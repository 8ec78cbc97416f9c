// Package resources does what the package's resources and its function promise, in terms of property
// maps: it knows no gRPC.
package resources

import (
	"context"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/schema"
)

// Log tells the person who waits what is going on.
type Log interface {
	// Status shows a line that need not be kept.
	Status(line string)
	// Warn shows a line that stays in the update's messages.
	Warn(line string)
}

// Request is one operation on one resource.
type Request struct {
	// Name is the resource's name in the program.
	Name string
	// Inputs are checked inputs; for a deletion, the state.
	Inputs resource.PropertyMap
	// State is what the last operation returned; nil for a creation.
	State resource.PropertyMap
	Log   Log
}

// Resource is one kind of resource.
type Resource interface {
	// Verify reports mistakes that the types of the inputs do not show.
	Verify(inputs resource.PropertyMap) []schema.Failure
	// Create makes the resource and returns its state.
	Create(ctx context.Context, r Request) (id string, state resource.PropertyMap, err error)
	// Update changes the resource and returns its new state.
	Update(ctx context.Context, r Request) (resource.PropertyMap, error)
	// Delete removes the resource.
	Delete(ctx context.Context, r Request) error
}

// All returns each kind by its type token.
func All() map[string]Resource {
	return map[string]Resource{
		schema.LocalCommand:  command{runLocal},
		schema.RemoteCommand: command{runRemote},
		schema.CopyToRemote:  copyToRemote{},
		schema.CopyFile:      copyFile{},
	}
}

var errNoUpdate = errors.New("this resource cannot be changed in place")

// identifierLength is the number of random hexadecimal digits of an id, as published.
const identifierLength = 8

func newID(prefix string) (string, error) { return resource.NewUniqueHex(prefix, identifierLength, 0) }

func state(inputs, results resource.PropertyMap) resource.PropertyMap {
	all := resource.PropertyMap{}
	for _, part := range []resource.PropertyMap{inputs, results} {
		for key, v := range part {
			all[key] = v
		}
	}
	return all
}
