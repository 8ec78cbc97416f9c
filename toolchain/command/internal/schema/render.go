package schema

import "encoding/json"

const deprecationNote = "deprecationMessage"

// JSON renders the package as Pulumi's package schema.
func (p Package) JSON(name, version string) ([]byte, error) {
	types := map[string]any{}
	for _, o := range p.Objects {
		types[o.Token] = objectSpec(o.Description, o.Properties)
	}
	for _, e := range p.Enums {
		types[e.Token] = enumSpec(e)
	}
	resources := map[string]any{}
	for _, r := range p.Resources {
		resources[r.Token] = resourceSpec(r)
	}
	functions := map[string]any{}
	for _, f := range p.Functions {
		functions[f.Token] = map[string]any{
			"description": f.Description,
			"inputs":      objectSpec("", f.Inputs),
			"outputs":     objectSpec("", append(append([]Property{}, f.Inputs...), f.Results...)),
		}
	}
	return json.Marshal(map[string]any{
		"name": name, "version": version, "displayName": "Command",
		"description": "Commands and copies as resources, on this machine or on others through SSH.",
		"keywords":    []string{"pulumi", "command", "category/utility", "kind/native"},
		"config":      map[string]any{},
		"provider":    map[string]any{},
		"types":       types, "resources": resources, "functions": functions,
		"language": map[string]any{
			"python": map[string]any{"respectSchemaVersion": true, "pyproject": map[string]any{"enabled": true}},
			"nodejs": map[string]any{"respectSchemaVersion": true},
		},
	})
}

func resourceSpec(r Resource) map[string]any {
	outputs := append(append([]Property{}, r.Inputs...), r.Results...)
	spec := map[string]any{
		"description":     r.Description,
		"properties":      propertySpecs(outputs),
		"required":        required(outputs),
		"inputProperties": propertySpecs(r.Inputs),
	}
	if names := required(r.Inputs); len(names) > 0 {
		spec["requiredInputs"] = names
	}
	if r.Deprecation != "" {
		spec[deprecationNote] = r.Deprecation
	}
	return spec
}

func objectSpec(description string, properties []Property) map[string]any {
	spec := map[string]any{"type": "object", "properties": propertySpecs(properties)}
	if description != "" {
		spec["description"] = description
	}
	if names := required(properties); len(names) > 0 {
		spec["required"] = names
	}
	return spec
}

func enumSpec(e EnumType) map[string]any {
	values := make([]map[string]any, len(e.Values))
	for i, v := range e.Values {
		values[i] = map[string]any{"name": v.Value, "value": v.Value, "description": v.Description}
	}
	return map[string]any{"type": "string", "enum": values}
}

func propertySpecs(properties []Property) map[string]any {
	specs := map[string]any{}
	for _, p := range properties {
		spec := typeSpec(p.Type)
		spec["description"] = p.Description
		if p.Secret {
			spec["secret"] = true
		}
		if p.Replaces {
			spec["replaceOnChanges"] = true
		}
		if p.Default != nil {
			spec["default"] = p.Default
		}
		specs[p.Name] = spec
	}
	return specs
}

func typeSpec(t Type) map[string]any {
	switch t.Kind {
	case Boolean:
		return map[string]any{"type": "boolean"}
	case Integer:
		return map[string]any{"type": "integer"}
	case Number:
		return map[string]any{"type": "number"}
	case Any:
		return map[string]any{"$ref": "pulumi.json#/Any"}
	case AssetOrArchive:
		return map[string]any{"$ref": "pulumi.json#/Asset"}
	case Archive:
		return map[string]any{"$ref": "pulumi.json#/Archive"}
	case List:
		return map[string]any{"type": "array", "items": typeSpec(*t.Element)}
	case Map:
		return map[string]any{"type": "object", "additionalProperties": typeSpec(*t.Element)}
	case Object, Enum:
		return map[string]any{"$ref": "#/types/" + t.Ref}
	default:
		return map[string]any{"type": "string"}
	}
}

func required(properties []Property) []string {
	names := []string{}
	for _, p := range properties {
		if p.Required {
			names = append(names, p.Name)
		}
	}
	return names
}
