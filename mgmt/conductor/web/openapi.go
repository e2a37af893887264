package web

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// openAPI describes the API, from the table of routes and the types of answers.
func openAPI() object {
	paths := object{}
	for _, r := range routes() {
		at, ok := paths[r.path].(object)
		if !ok {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.operation()
	}
	return object{
		"openapi":  "3.1.0",
		"info":     object{"title": "Waymark conductor", "version": "1", "description": "Boxes, their configuration, and what they report."},
		"paths":    paths,
		"security": []any{object{"token": []any{}}},
		"components": object{
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
			"schemas": object{"Error": object{"type": "object", "required": []string{"error"}, "properties": object{
				"error": object{"type": "object", "required": []string{"name", "message"}, "properties": object{
					"name": object{"type": "string"}, "message": object{"type": "string"}}}}}},
		},
	}
}

func (r *route) operation() object {
	params := []any{}
	for part := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			params = append(params, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, q := range r.query {
		params = append(params, object{"name": q.name, "in": "query", "description": q.what, "schema": object{"type": q.kind}})
	}
	op := object{
		"summary": r.what, "parameters": params,
		"responses": object{
			"200":     object{"description": "done", "content": content("application/json", schema(reflect.TypeOf(r.answer)))},
			"default": object{"description": "not done", "content": content("application/json", object{"$ref": "#/components/schemas/Error"})},
		},
	}
	if r.body != "" {
		op["requestBody"] = object{"required": true, "content": object{r.body: object{"schema": object{}}, "text/plain": object{"schema": object{"type": "string"}}}}
	}
	return op
}

func content(kind string, s object) object { return object{kind: object{"schema": s}} }

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	textType = reflect.TypeFor[encoding.TextMarshaler]()
)

// schema describes a type as encoding/json writes it.
func schema(t reflect.Type) object {
	switch {
	case t.Kind() == reflect.Pointer:
		s := schema(t.Elem())
		s["type"] = []any{s["type"], "null"}
		return s
	case t == rawType:
		return object{"type": "object"}
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case t.Implements(textType):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Slice:
		return object{"type": "array", "items": schema(t.Elem())}
	case reflect.Struct:
		return structSchema(t)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	}
	return object{"type": "string"}
}

func structSchema(t reflect.Type) object {
	props, required := object{}, []string{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		props[name] = schema(t.Field(i).Type)
		required = append(required, name)
	}
	return object{"type": "object", "properties": props, "required": required, "additionalProperties": false}
}
