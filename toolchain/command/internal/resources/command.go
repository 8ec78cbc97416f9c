package resources

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/capture"
	"practicum/toolchain/command/internal/local"
	"practicum/toolchain/command/internal/mask"
	"practicum/toolchain/command/internal/remote"
	"practicum/toolchain/command/internal/schema"
	"practicum/toolchain/command/internal/value"
)

// run is one run of one command text.
type run struct {
	text     string
	inputs   resource.PropertyMap // without secret wrappers
	previous map[string]string
	out      *capture.Output
	log      Log
}

// runner runs a command somewhere and returns results besides its output.
type runner func(ctx context.Context, r run) (resource.PropertyMap, error)

// command is local:Command or remote:Command, by its runner.
type command struct{ run runner }

// streams are the results of every run.
var streams = []resource.PropertyKey{"stdout", "stderr"}

func (command) Verify(inputs resource.PropertyMap) []schema.Failure {
	return append(verifyConnection(inputs), verifyPatterns(inputs)...)
}

func (c command) Create(ctx context.Context, r Request) (string, resource.PropertyMap, error) {
	id, err := newID(r.Name)
	if err != nil {
		return "", nil, err
	}
	results := resource.PropertyMap{
		"stdout": resource.NewProperty(""),
		"stderr": resource.NewProperty(""),
	}
	if _, given := value.Text(r.Inputs, "create"); given {
		if results, err = execute(ctx, c.run, r, "create"); err != nil {
			return "", nil, err
		}
	}
	return id, state(r.Inputs, results), nil
}

func (c command) Update(ctx context.Context, r Request) (resource.PropertyMap, error) {
	for _, key := range []resource.PropertyKey{"update", "create"} {
		if _, given := value.Text(r.Inputs, key); given {
			results, err := execute(ctx, c.run, r, key)
			if err != nil {
				return nil, err
			}
			return state(r.Inputs, results), nil
		}
	}
	kept := resource.PropertyMap{}
	for _, key := range append([]resource.PropertyKey{"assets", "archive"}, streams...) {
		if v, ok := r.State[key]; ok {
			kept[key] = v
		}
	}
	return state(r.Inputs, kept), nil
}

func (c command) Delete(ctx context.Context, r Request) error {
	if _, given := value.Text(r.Inputs, "delete"); !given {
		return nil
	}
	r.State = r.Inputs
	_, err := execute(ctx, c.run, r, "delete")
	return err
}

// execute runs the command under the key and returns its results. They are secret when anything
// secret has reached the command.
func execute(ctx context.Context, how runner, r Request, key resource.PropertyKey) (resource.PropertyMap, error) {
	text, _ := value.Text(r.Inputs, key)
	inputs := value.RevealAll(r.Inputs)
	reaching := reach(r, key)
	hide := mask.Of(reaching, remote.ReadConnection(value.Map(r.Inputs, "connection")).Secrets()...)
	out := capture.New(capture.Parse(value.TextOr(r.Inputs, "logging", "")), hide, r.Log.Status)
	results, err := how(ctx, run{text: text, inputs: inputs, previous: previous(r), out: out, log: r.Log})
	if err != nil {
		shown := fmt.Sprintf("%q", hide.Apply(text))
		if r.Inputs[key].ContainsSecrets() {
			shown = mask.Hidden
		}
		return nil, fmt.Errorf("%s: running %s:\n%s", hide.Apply(err.Error()), shown, out.Tail())
	}
	stdout, stderr := out.Texts()
	results["stdout"], results["stderr"] = resource.NewProperty(stdout), resource.NewProperty(stderr)
	if resource.NewProperty(reaching).ContainsSecrets() {
		for name, result := range results {
			results[name] = resource.MakeSecret(result)
		}
	}
	return results, nil
}

// reach is the part of the inputs, and of the previous output, that the command gets to see.
func reach(r Request, key resource.PropertyKey) resource.PropertyMap {
	reaching := resource.PropertyMap{}
	for _, name := range []resource.PropertyKey{key, "stdin", "environment", "interpreter", "dir"} {
		if v, ok := r.Inputs[name]; ok {
			reaching[name] = v
		}
	}
	if handsOn(r) {
		for _, name := range streams {
			if v, ok := r.State[name]; ok {
				reaching[name] = v
			}
		}
	}
	return reaching
}

func handsOn(r Request) bool {
	return r.State != nil && value.Flag(r.Inputs, "addPreviousOutputInEnv", true)
}

func previous(r Request) map[string]string {
	if !handsOn(r) {
		return nil
	}
	return map[string]string{
		local.PreviousStdout: value.TextOr(r.State, "stdout", ""),
		local.PreviousStderr: value.TextOr(r.State, "stderr", ""),
	}
}
