// Package schema holds the one description of the package that everything else follows: the JSON
// that GetSchema answers, the checking of inputs, defaults, secrets, and what forces a replacement.
package schema

// Kind says what shape a property's value has.
type Kind int

// The shapes that the package's properties use. Object and Enum refer to a named type.
const (
	String Kind = iota
	Boolean
	Integer
	Number
	Any
	AssetOrArchive
	Archive
	List
	Map
	Object
	Enum
)

// Type is a property's type. Element is set for List and Map, Ref (a type token) for Object and Enum.
type Type struct {
	Kind    Kind
	Element *Type
	Ref     string
}

// Property is one named value of a resource, a function or an object type.
type Property struct {
	Name        string
	Type        Type
	Description string
	Required    bool
	Secret      bool
	// Replaces: a change forces a replacement of the resource.
	Replaces bool
	// Default is filled in by Check: an int, or a string.
	Default any
	// OnlyWith names the input without which this output stays unset; empty for outputs that
	// every run produces.
	OnlyWith string
}

// ObjectType is a named record.
type ObjectType struct {
	Token       string
	Description string
	Properties  []Property
}

// EnumValue is one allowed value of an enumeration.
type EnumValue struct {
	Value       string
	Description string
}

// EnumType is a named enumeration of strings.
type EnumType struct {
	Token  string
	Values []EnumValue
}

// Resource describes one resource. Its outputs are all inputs, and Results besides.
type Resource struct {
	Token       string
	Description string
	Deprecation string
	Inputs      []Property
	Results     []Property
	// Updatable: a change may be applied in place. Otherwise every change replaces.
	Updatable bool
}

// Function describes one function. Its outputs are all inputs, and Results besides.
type Function struct {
	Token       string
	Description string
	Inputs      []Property
	Results     []Property
}

// Package is the whole package.
type Package struct {
	Objects   []ObjectType
	Enums     []EnumType
	Resources []Resource
	Functions []Function
}

// Resource finds a resource by its type token.
func (p Package) Resource(token string) (Resource, bool) {
	for _, r := range p.Resources {
		if r.Token == token {
			return r, true
		}
	}
	return Resource{}, false
}

// Function finds a function by its token.
func (p Package) Function(token string) (Function, bool) {
	for _, f := range p.Functions {
		if f.Token == token {
			return f, true
		}
	}
	return Function{}, false
}

func (p Package) object(token string) ObjectType {
	for _, o := range p.Objects {
		if o.Token == token {
			return o
		}
	}
	return ObjectType{}
}

func (p Package) enum(token string) EnumType {
	for _, e := range p.Enums {
		if e.Token == token {
			return e
		}
	}
	return EnumType{}
}

func find(properties []Property, name string) (Property, bool) {
	for _, p := range properties {
		if p.Name == name {
			return p, true
		}
	}
	return Property{}, false
}

func listOf(element Type) Type { return Type{Kind: List, Element: &element} }
func mapOf(element Type) Type  { return Type{Kind: Map, Element: &element} }
func plain(kind Kind) Type     { return Type{Kind: kind} }

// Replaces says whether a change of the input forces a replacement.
func (r Resource) Replaces(input string) bool {
	p, _ := find(r.Inputs, input)
	return p.Replaces || !r.Updatable
}
