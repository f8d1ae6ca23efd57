package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gobwas/glob"
)

const (
	// maxDirectoryBytes is Argo CD's default for reposerver.max.combined.directory.manifests.size.
	maxDirectoryBytes = 10 << 20
	// readBatch is how many files are asked for at once, so that the limit above is noticed in time.
	readBatch = 200
)

// skipMarker in a file leaves it out, as in Argo CD.
const skipMarker = "+argocd:skip-file-rendering"

var manifestName = regexp.MustCompile(`\.(yaml|yml|json|jsonnet)$`)

type jsonnetVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Code  bool   `json:"code"`
}

type directoryOptions struct {
	Recurse                bool         `json:"recurse"`
	Include                string       `json:"include"`
	Exclude                string       `json:"exclude"`
	DisableExtensionFilter bool         `json:"disable_extension_filter"`
	ExtVars                []jsonnetVar `json:"ext_vars"`
	TLAs                   []jsonnetVar `json:"tlas"`
	Libs                   []string     `json:"libs"`
}

func init() { evaluators["directory"] = renderDirectory }

// renderDirectory reads plain manifests and Jsonnet below a path by Argo CD's rules.
func renderDirectory(_ context.Context, raw json.RawMessage, files *vfs) (any, error) {
	var request struct {
		Path    string           `json:"path"`
		Options directoryOptions `json:"options"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	root, err := clean(request.Path)
	if err != nil {
		return nil, err
	}
	paths, err := manifestFiles(files, root, &request.Options)
	if err != nil {
		return nil, err
	}
	objects := []object{}
	total := 0
	for batch := range slices.Chunk(paths, readBatch) {
		if err := files.Know(nil, nil, slices.Clone(batch)); err != nil {
			return nil, err
		}
		for _, p := range batch {
			data, ok, err := files.Read(p)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue // a link that leads nowhere, or to a directory
			}
			if total += len(data); total > maxDirectoryBytes {
				return nil, limitError("the manifests of %q have more than %d bytes in all", request.Path, maxDirectoryBytes)
			}
			found, err := readManifest(files, root, p, data, &request.Options)
			if err != nil {
				return nil, err
			}
			objects = append(objects, found...)
		}
	}
	return rendered{objects}, nil
}

func manifestFiles(files *vfs, root string, options *directoryOptions) ([]string, error) {
	include, err := compileGlob("include", options.Include)
	if err != nil {
		return nil, err
	}
	exclude, err := compileGlob("exclude", options.Exclude)
	if err != nil {
		return nil, err
	}
	at, err := files.Stat(root)
	if err != nil {
		return nil, err
	}
	if at.kind != directory {
		if inside := files.Submodule(root); inside != "" {
			return nil, unsupportedError(inside, "%s: %s is a Git submodule; its files are not fetched", root, inside)
		}
		return nil, inputError(root, 0, "%s: app path does not exist or is not a directory", root)
	}
	var found []string
	err = files.Walk(root, options.Recurse, func(p string, e entry) error {
		if e.kind == submodule || !options.DisableExtensionFilter && !manifestName.MatchString(e.name) {
			return nil
		}
		relative := relativeTo(root, p)
		if exclude != nil && exclude.Match(relative) || include != nil && !include.Match(relative) {
			return nil
		}
		found = append(found, p)
		return nil
	})
	return found, err
}

func compileGlob(field, pattern string) (glob.Glob, error) {
	if pattern == "" {
		return nil, nil
	}
	compiled, err := glob.Compile(pattern)
	if err != nil {
		return nil, inputError("", 0, "directory.%s %q is not a valid pattern: %v", field, pattern, err)
	}
	return compiled, nil
}

func relativeTo(root, p string) string {
	if root == "" {
		return p
	}
	return strings.TrimPrefix(p, root+"/")
}

func readManifest(files *vfs, root, p string, data []byte, options *directoryOptions) ([]object, error) {
	name := relativeTo(root, p)
	if bytes.Contains(data, []byte(skipMarker)) {
		return nil, nil
	}
	switch {
	case strings.HasSuffix(p, ".jsonnet"):
		return renderJsonnet(files, root, p, options)
	case strings.HasSuffix(p, ".json"):
		return readJSON(p, name, data)
	}
	objects, err := readObjects(data, p)
	if err == nil {
		return objects, nil
	}
	if err.soft && len(objects) == 0 && !looksLikeManifest(data) {
		return nil, nil
	}
	return nil, unmarshalError(name, err.failure)
}

// looksLikeManifest is Argo CD's test of whether a YAML file that cannot be read was meant to be a manifest.
func looksLikeManifest(data []byte) bool {
	return bytes.Contains(data, []byte("apiVersion:")) && bytes.Contains(data, []byte("kind:")) && bytes.Contains(data, []byte("metadata:"))
}

func unmarshalError(name string, f *failure) *failure {
	f.Message = fmt.Sprintf("Failed to unmarshal %q: %s", name, f.Message)
	return f
}

func readJSON(p, name string, data []byte) ([]object, error) {
	data = decodeText(data)
	decoder := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, unmarshalError(name, inputError(p, jsonErrorLine(data, err), "%v", err))
	}
	if decoder.More() {
		line := 1 + bytes.Count(data[:decoder.InputOffset()], []byte("\n"))
		return nil, inputError(p, line, "Found multiple objects in %q. Only single objects are allowed in JSON files.", name)
	}
	objects, err := appendObject(nil, raw, p, 1)
	if err != nil {
		return nil, unmarshalError(name, err.failure)
	}
	return objects, nil
}

func jsonErrorLine(data []byte, err error) int {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return 1 + bytes.Count(bytes.TrimRight(data, "\n"), []byte("\n"))
	}
	return 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
}
