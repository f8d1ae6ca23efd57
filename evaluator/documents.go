package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"sigs.k8s.io/yaml"
)

// object is one rendered object with the place it was written: a file relative to the root of the repository, and a line from 1.
type object struct {
	Object json.RawMessage `json:"object"`
	File   string          `json:"file"`
	Line   int             `json:"line,omitempty"`
}

// rendered is what every render answers.
type rendered struct {
	Objects []object `json:"objects"`
}

func init() {
	evaluators["yaml"] = func(_ context.Context, raw json.RawMessage, _ *vfs) (any, error) {
		var request struct{ Text, File string }
		if err := json.Unmarshal(raw, &request); err != nil {
			return nil, err
		}
		objects, err := readObjects([]byte(request.Text), request.File)
		if err != nil {
			return nil, err.failure
		}
		return rendered{objects}, nil
	}
}

// readError is why a stream is not a stream of objects. soft: it need not have been meant as one (not YAML, no mapping, no kind).
type readError struct {
	*failure
	soft bool
}

// readObjects reads a stream of YAML (or JSON) documents as Kubernetes does: go-yaml v2, then JSON. Empty documents are skipped and lists
// are flattened. With an error come the objects that were read before it.
func readObjects(text []byte, file string) ([]object, *readError) {
	text = decodeText(text)
	objects := []object{}
	for doc := range splitDocuments(text) {
		raw := doc.json
		if raw == nil {
			var err error
			if raw, err = yaml.YAMLToJSON(doc.text); err != nil {
				message, line := placeYAMLError(err.Error(), doc.start)
				return objects, &readError{inputError(file, line, "failed to unmarshal manifest: error converting YAML to JSON: %s", message), true}
			}
		}
		found, err := appendObject(objects, raw, file, doc.line)
		if err != nil {
			return objects, err
		}
		objects = found
	}
	return objects, nil
}

// decodeText takes off a byte order mark, and UTF-16 with it.
func decodeText(text []byte) []byte {
	if len(text) < 2 || text[0] < 0xEF {
		return text
	}
	decoded, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), text)
	if err != nil {
		return text
	}
	return decoded
}

type document struct {
	text  []byte
	json  json.RawMessage // set when the stream is JSON
	start int             // the line on which text begins, from 1
	line  int             // the first line with content
}

// splitDocuments cuts a stream at lines that begin with "---", as the YAML reader of apimachinery does. A stream that begins with a brace is
// tried as JSON documents one after the other first.
func splitDocuments(text []byte) func(yield func(document) bool) {
	if docs, ok := splitJSON(text); ok {
		return slices.Values(docs)
	}
	return func(yield func(document) bool) {
		start, line, begin, pos := 1, 1, 0, 0
		for pos < len(text) {
			end := bytes.IndexByte(text[pos:], '\n')
			next := len(text)
			if end >= 0 {
				next = pos + end + 1
			}
			if bytes.HasPrefix(text[pos:], []byte("---")) && pos > begin {
				if !yieldDocument(text[begin:pos], start, yield) {
					return
				}
				begin, start = pos, line
			}
			pos = next
			line++
		}
		yieldDocument(text[begin:], start, yield)
	}
}

// yieldDocument leaves out what has no content. A separator stays in front of its document, so that lines in errors are right; what follows
// it on the same line is for the parser to judge.
func yieldDocument(text []byte, start int, yield func(document) bool) bool {
	line := start
	for rest := text; len(rest) > 0; line++ {
		var first []byte
		first, rest, _ = bytes.Cut(rest, []byte("\n"))
		content := bytes.TrimSpace(first)
		content = bytes.TrimSpace(bytes.TrimPrefix(content, []byte("---")))
		if len(content) > 0 && content[0] != '#' {
			return yield(document{text: text, start: start, line: line})
		}
	}
	return true
}

func splitJSON(text []byte) ([]document, bool) {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, false
	}
	var docs []document
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		before := decoder.InputOffset()
		err := decoder.Decode(&raw)
		if err == io.EOF {
			return docs, true
		}
		if err != nil {
			return nil, false
		}
		skipped := len(text[before:]) - len(bytes.TrimLeft(text[before:], " \t\r\n"))
		line := 1 + bytes.Count(text[:int(before)+skipped], []byte("\n"))
		docs = append(docs, document{json: raw, start: line, line: line})
	}
}

var yamlLine = regexp.MustCompile(`\bline (\d+)`)

// placeYAMLError turns the line within a document into the line within its file, in the message and as a number (0: the parser named none).
func placeYAMLError(message string, start int) (string, int) {
	first := 0
	placed := yamlLine.ReplaceAllStringFunc(message, func(match string) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(match, "line "))
		n += start - 1
		if first == 0 {
			first = n
		}
		return "line " + strconv.Itoa(n)
	})
	return placed, first
}

// appendObject checks one document and appends it, or the items of a list.
func appendObject(objects []object, raw json.RawMessage, file string, line int) ([]object, *readError) {
	if bytes.Equal(raw, []byte("null")) {
		return objects, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return objects, &readError{inputError(file, line, "failed to unmarshal manifest: an object was expected, not %s", describe(raw)), true}
	}
	if len(fields) == 0 {
		return objects, nil
	}
	kind := stringField(fields, "kind")
	if kind == "" {
		return objects, &readError{inputError(file, line, "failed to unmarshal manifest: Object 'Kind' is missing"), true}
	}
	if items, ok := fields["items"]; ok && strings.HasSuffix(kind, "List") {
		var list []json.RawMessage
		if json.Unmarshal(items, &list) == nil {
			for _, item := range list {
				var err *readError
				if objects, err = appendObject(objects, item, file, line); err != nil {
					return objects, &readError{err.failure, false}
				}
			}
			return objects, nil
		}
	}
	if stringField(fields, "apiVersion") == "" {
		return objects, &readError{inputError(file, line, "Object 'apiVersion' is missing in a %s", kind), false}
	}
	var metadata map[string]json.RawMessage
	if err := json.Unmarshal(fields["metadata"], &metadata); fields["metadata"] != nil && err != nil {
		return objects, &readError{inputError(file, line, "metadata of a %s is %s, not an object", kind, describe(fields["metadata"])), false}
	}
	if stringField(metadata, "name") == "" && stringField(metadata, "generateName") == "" {
		what := "missing"
		if name := metadata["name"]; name != nil && name[0] != '"' {
			what = describe(name) + ", not a string,"
		}
		return objects, &readError{inputError(file, line, "metadata.name is %s in a %s", what, kind), false}
	}
	return append(objects, object{raw, file, line}), nil
}

func stringField(fields map[string]json.RawMessage, name string) string {
	var value string
	if json.Unmarshal(fields[name], &value) != nil {
		return ""
	}
	return value
}

// describe names the type of a JSON value; the value itself may be a secret.
func describe(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
