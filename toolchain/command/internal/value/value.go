// Package value reads plain Go values out of Pulumi's property values.
package value

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

// Reveal returns a value without any secret wrapper, at any depth.
func Reveal(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return Reveal(v.SecretValue().Element)
	case v.IsArray():
		items := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, item := range v.ArrayValue() {
			items[i] = Reveal(item)
		}
		return resource.NewProperty(items)
	case v.IsObject():
		return resource.NewProperty(RevealAll(v.ObjectValue()))
	default:
		return v
	}
}

// RevealAll is Reveal for a whole map.
func RevealAll(m resource.PropertyMap) resource.PropertyMap {
	plain := make(resource.PropertyMap, len(m))
	for key, v := range m {
		plain[key] = Reveal(v)
	}
	return plain
}

// Text is the string under a key, and whether there is one.
func Text(m resource.PropertyMap, key resource.PropertyKey) (string, bool) {
	v := Reveal(m[key])
	if !v.IsString() {
		return "", false
	}
	return v.StringValue(), true
}

// TextOr is the string under a key, or the fallback.
func TextOr(m resource.PropertyMap, key resource.PropertyKey, fallback string) string {
	if text, ok := Text(m, key); ok {
		return text
	}
	return fallback
}

// Flag is the boolean under a key, or the fallback.
func Flag(m resource.PropertyMap, key resource.PropertyKey, fallback bool) bool {
	v := Reveal(m[key])
	if !v.IsBool() {
		return fallback
	}
	return v.BoolValue()
}

// Whole is the number under a key, or the fallback.
func Whole(m resource.PropertyMap, key resource.PropertyKey, fallback int) int {
	v := Reveal(m[key])
	if !v.IsNumber() {
		return fallback
	}
	return int(v.NumberValue())
}

// Texts is the list of strings under a key, nil if there is none.
func Texts(m resource.PropertyMap, key resource.PropertyKey) []string {
	v := Reveal(m[key])
	if !v.IsArray() {
		return nil
	}
	texts := []string{}
	for _, item := range v.ArrayValue() {
		if item.IsString() {
			texts = append(texts, item.StringValue())
		}
	}
	return texts
}

// TextMap is the map of strings under a key, nil if there is none.
func TextMap(m resource.PropertyMap, key resource.PropertyKey) map[string]string {
	v := Reveal(m[key])
	if !v.IsObject() {
		return nil
	}
	texts := map[string]string{}
	for name, item := range v.ObjectValue() {
		if item.IsString() {
			texts[string(name)] = item.StringValue()
		}
	}
	return texts
}

// Map is the map under a key, nil if there is none.
func Map(m resource.PropertyMap, key resource.PropertyKey) resource.PropertyMap {
	v := Reveal(m[key])
	if !v.IsObject() {
		return nil
	}
	return v.ObjectValue()
}
