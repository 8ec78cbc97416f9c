package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
)

type rule struct {
	pattern glob.Glob
	exclude bool
}

func compile(patterns []string) ([]rule, error) {
	rules := make([]rule, 0, len(patterns))
	for _, pattern := range patterns {
		text, exclude := strings.CutPrefix(pattern, "!")
		compiled, err := glob.Compile(text, '/')
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		rules = append(rules, rule{compiled, exclude})
	}
	return rules, nil
}

// Files returns the regular files below dir ("" for the current folder) that the patterns match, as
// assets by their path relative to dir. The last pattern that matches a file decides.
func Files(dir string, patterns []string) (map[string]*asset.Asset, error) {
	rules, err := compile(patterns)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir = "."
	}
	found := map[string]*asset.Asset{}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != ".":
			return nil // removed while we walk
		case err != nil:
			return err
		case entry.IsDir() || !included(rules, name):
			return nil
		}
		file := path.Join(dir, name)
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			return nil // a link to a folder or to nothing, a socket, a pipe
		}
		found[name], err = asset.FromPath(file)
		return err
	})
	return found, err
}

func included(rules []rule, name string) bool {
	matched := false
	for _, r := range rules {
		if r.pattern.Match(name) {
			matched = !r.exclude
		}
	}
	return matched
}

// Assets is Files as the value of the output `assets`.
func Assets(dir string, patterns []string) (resource.PropertyValue, error) {
	files, err := Files(dir, patterns)
	if err != nil {
		return resource.PropertyValue{}, fmt.Errorf("assetPaths: %w", err)
	}
	assets := resource.PropertyMap{}
	for name, file := range files {
		assets[resource.PropertyKey(name)] = resource.NewProperty(file)
	}
	return resource.NewProperty(assets), nil
}

// Archive is Files as the value of the output `archive`.
func Archive(dir string, patterns []string) (resource.PropertyValue, error) {
	files, err := Files(dir, patterns)
	if err != nil {
		return resource.PropertyValue{}, fmt.Errorf("archivePaths: %w", err)
	}
	members := map[string]any{}
	for name, file := range files {
		members[name] = file
	}
	all, err := archive.FromAssets(members)
	if err != nil {
		return resource.PropertyValue{}, fmt.Errorf("archivePaths: %w", err)
	}
	return resource.NewProperty(all), nil
}

// CheckPatterns reports the first pattern that is malformed.
func CheckPatterns(patterns []string) error {
	_, err := compile(patterns)
	return err
}
