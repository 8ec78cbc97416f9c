package schema

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/value"
)

// Failure is one input that cannot be accepted: where, and why. It never quotes the value, which may
// be secret.
type Failure struct {
	Path   string
	Reason string
}

// Check compares inputs with their description. It returns them with defaults filled in and with
// secret properties marked, and every failure, not only the first one. Unknown values pass.
func (p Package) Check(properties []Property, inputs resource.PropertyMap) (resource.PropertyMap, []Failure) {
	c := checker{pkg: p}
	checked := c.record(properties, inputs, "")
	sort.Slice(c.failures, func(i, j int) bool { return c.failures[i].Path < c.failures[j].Path })
	return checked, c.failures
}

type checker struct {
	pkg      Package
	failures []Failure
}

func (c *checker) fail(path, format string, args ...any) {
	c.failures = append(c.failures, Failure{Path: path, Reason: fmt.Sprintf(format, args...)})
}

func (c *checker) record(properties []Property, values resource.PropertyMap, prefix string) resource.PropertyMap {
	checked := resource.PropertyMap{}
	for key, given := range values {
		name := string(key)
		if resource.IsInternalPropertyKey(key) || (prefix == "" && name == "version") || given.IsNull() {
			continue // the engine's own keys, and null, which is the same as not given
		}
		property, known := find(properties, name)
		if !known {
			c.fail(prefix+name, "there is no such property; allowed are %s", names(properties))
			continue
		}
		accepted := c.value(property.Type, given, prefix+name)
		if property.Secret {
			// Secrets within a secret say nothing more, and would differ from a state that kept
			// only the outer one.
			accepted = resource.MakeSecret(value.Reveal(accepted))
		}
		checked[key] = accepted
	}
	for _, property := range properties {
		key := resource.PropertyKey(property.Name)
		if _, given := checked[key]; given {
			continue
		}
		if property.Default != nil {
			checked[key] = defaultValue(property.Default)
		} else if _, reported := values[key]; property.Required && (!reported || values[key].IsNull()) {
			c.fail(prefix+property.Name, "this property is required and is missing")
		}
	}
	return checked
}

// value checks one value and returns it with the defaults and secrets of nested records.
func (c *checker) value(t Type, v resource.PropertyValue, path string) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return resource.MakeSecret(c.value(t, v.SecretValue().Element, path))
	case v.IsComputed() || v.IsOutput():
		return v
	}
	switch t.Kind {
	case List:
		if !v.IsArray() {
			c.fail(path, "a list is expected, not %s", describe(v))
			return v
		}
		items := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, item := range v.ArrayValue() {
			items[i] = c.value(*t.Element, item, fmt.Sprintf("%s[%d]", path, i))
		}
		return resource.NewProperty(items)
	case Map:
		if !v.IsObject() {
			c.fail(path, "a map is expected, not %s", describe(v))
			return v
		}
		entries := resource.PropertyMap{}
		for key, entry := range v.ObjectValue() {
			entries[key] = c.value(*t.Element, entry, path+"."+string(key))
		}
		return resource.NewProperty(entries)
	case Object:
		if !v.IsObject() {
			c.fail(path, "a map is expected, not %s", describe(v))
			return v
		}
		return resource.NewProperty(c.record(c.pkg.object(t.Ref).Properties, v.ObjectValue(), path+"."))
	default:
		c.scalar(t, v, path)
		return v
	}
}

func (c *checker) scalar(t Type, v resource.PropertyValue, path string) {
	switch t.Kind {
	case String:
		if !v.IsString() {
			c.fail(path, "a string is expected, not %s", describe(v))
		}
	case Boolean:
		if !v.IsBool() {
			c.fail(path, "true or false is expected, not %s", describe(v))
		}
	case Number, Integer:
		if !v.IsNumber() {
			c.fail(path, "a number is expected, not %s", describe(v))
		} else if t.Kind == Integer && v.NumberValue() != math.Trunc(v.NumberValue()) {
			c.fail(path, "a whole number is expected")
		}
	case AssetOrArchive:
		if !v.IsAsset() && !v.IsArchive() {
			c.fail(path, "an asset or an archive is expected, not %s", describe(v))
		}
	case Archive:
		if !v.IsArchive() {
			c.fail(path, "an archive is expected, not %s", describe(v))
		}
	case Enum:
		c.enumerated(t, v, path)
	}
}

func (c *checker) enumerated(t Type, v resource.PropertyValue, path string) {
	values := c.pkg.enum(t.Ref).Values
	allowed := make([]string, len(values))
	for i, candidate := range values {
		if v.IsString() && v.StringValue() == candidate.Value {
			return
		}
		allowed[i] = candidate.Value
	}
	c.fail(path, "one of these is expected: %s", strings.Join(allowed, ", "))
}

func defaultValue(given any) resource.PropertyValue {
	if number, ok := given.(int); ok {
		return resource.NewProperty(float64(number))
	}
	return resource.NewProperty(given.(string))
}

func describe(v resource.PropertyValue) string {
	switch {
	case v.IsNull():
		return "null"
	case v.IsBool():
		return "a boolean"
	case v.IsNumber():
		return "a number"
	case v.IsString():
		return "a string"
	case v.IsArray():
		return "a list"
	case v.IsObject():
		return "a map"
	case v.IsAsset():
		return "an asset"
	case v.IsArchive():
		return "an archive"
	default:
		return "a value of another type"
	}
}

func names(properties []Property) string {
	all := make([]string, len(properties))
	for i, p := range properties {
		all[i] = p.Name
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
