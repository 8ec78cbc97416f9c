// Package mask keeps secret inputs out of messages: what a command prints while it runs, and errors.
package mask

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Hidden stands where a secret was.
const Hidden = "[secret]"

const (
	// Shorter secrets are not looked for: they would hide ordinary words (the engine's own filter
	// has the same bound).
	shortestText = 3
	// Words within a longer secret text (a script, a JSON document) count as secret too, from this
	// length on; shorter ones are mostly syntax.
	shortestWord = 6
)

// Mask replaces a fixed set of texts. The zero value replaces nothing.
type Mask struct{ replacer *strings.Replacer }

// Of masks every text that the map marks as secret, as a whole, line by line and word by word, and
// the further texts given.
func Of(m resource.PropertyMap, further ...string) Mask {
	found := map[string]bool{}
	for _, v := range m {
		collect(v, false, found)
	}
	for _, text := range further {
		add(text, found)
	}
	if len(found) == 0 {
		return Mask{}
	}
	texts := make([]string, 0, len(found))
	for text := range found {
		texts = append(texts, text)
	}
	// The replacer takes the first that fits at a place: longer ones come first.
	slices.SortFunc(texts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(texts))
	for _, text := range texts {
		pairs = append(pairs, text, Hidden)
	}
	return Mask{strings.NewReplacer(pairs...)}
}

// Apply returns the text with every secret in it replaced.
func (m Mask) Apply(text string) string {
	if m.replacer == nil {
		return text
	}
	return m.replacer.Replace(text)
}

func collect(v resource.PropertyValue, secret bool, found map[string]bool) {
	switch {
	case v.IsSecret():
		collect(v.SecretValue().Element, true, found)
	case v.IsArray():
		for _, item := range v.ArrayValue() {
			collect(item, secret, found)
		}
	case v.IsObject():
		for _, item := range v.ObjectValue() {
			collect(item, secret, found)
		}
	case v.IsString() && secret:
		add(v.StringValue(), found)
	}
}

func add(text string, found map[string]bool) {
	keep := func(part string, shortest int) {
		if len(part) >= shortest {
			found[part] = true
		}
	}
	keep(strings.TrimSpace(text), shortestText)
	for _, line := range strings.Split(text, "\n") {
		keep(strings.TrimSpace(line), shortestText)
	}
	for _, word := range strings.FieldsFunc(text, separates) {
		keep(word, shortestWord)
	}
}

func separates(r rune) bool {
	return strings.ContainsRune(" \t\r\n\"'`=:,;()[]{}<>|&$\\", r)
}
