package main

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-jsonnet"
)

// renderJsonnet evaluates one Jsonnet file; the result is an object, or lists of objects in any depth.
func renderJsonnet(files *vfs, root, p string, options *directoryOptions) ([]object, error) {
	vm := jsonnet.MakeVM()
	for _, v := range options.ExtVars {
		if v.Code {
			vm.ExtCode(v.Name, v.Value)
		} else {
			vm.ExtVar(v.Name, v.Value)
		}
	}
	for _, v := range options.TLAs {
		if v.Code {
			vm.TLACode(v.Name, v.Value)
		} else {
			vm.TLAVar(v.Name, v.Value)
		}
	}
	importer := &jsonnetImporter{files: files, paths: []string{root}, known: map[string]jsonnet.Contents{}}
	for _, lib := range options.Libs {
		dir, err := clean(lib)
		if err != nil {
			return nil, inputError("", 0, "directory.jsonnet.libs: %q leaves the repository", lib)
		}
		importer.paths = append(importer.paths, dir)
	}
	vm.Importer(importer)
	// Jsonnet knows files by absolute paths, so that an import of "/x" is one from the root of the repository.
	text, err := vm.EvaluateFile("/" + p)
	if err != nil {
		if importer.refused != nil {
			return nil, importer.refused
		}
		file, line := jsonnetPlace(err, p)
		return nil, inputError(file, line, "Failed to evaluate jsonnet %q: %v", relativeTo(root, p), strings.TrimSpace(err.Error()))
	}
	objects, failed := appendNested(nil, json.RawMessage(text), p)
	if failed != nil {
		return nil, inputError(p, 0, "Failed to unmarshal generated json %q: %s", relativeTo(root, p), failed.Message)
	}
	return objects, nil
}

func appendNested(objects []object, raw json.RawMessage, p string) ([]object, *readError) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return appendObject(objects, raw, p, 0)
	}
	for _, item := range list {
		var err *readError
		if objects, err = appendNested(objects, item, p); err != nil {
			return objects, err
		}
	}
	return objects, nil
}

var jsonnetFrame = regexp.MustCompile(`(?m)(?:^|\s)/([^\s:]+):\(?(\d+)[:)]`)

// jsonnetPlace finds the file and line that an error of Jsonnet names first.
func jsonnetPlace(err error, fallback string) (string, int) {
	match := jsonnetFrame.FindStringSubmatch(err.Error())
	if match == nil {
		return fallback, 0
	}
	line, _ := strconv.Atoi(match[2])
	return match[1], line
}

// jsonnetImporter looks beside the importing file first, then in the library paths, the last one first, as the jsonnet command does.
type jsonnetImporter struct {
	files   *vfs
	paths   []string
	known   map[string]jsonnet.Contents
	refused error
}

func (i *jsonnetImporter) Import(from, wanted string) (jsonnet.Contents, string, error) {
	dirs := []string{path.Dir("/" + from)}
	for n := len(i.paths) - 1; n >= 0; n-- {
		dirs = append(dirs, "/"+i.paths[n])
	}
	for _, dir := range dirs {
		at := wanted
		if !path.IsAbs(wanted) {
			at = dir + "/" + wanted
		}
		contents, found, err := i.load(at)
		if err != nil {
			i.refused = err
			return jsonnet.Contents{}, "", err
		}
		if found {
			return contents, path.Clean(at), nil
		}
	}
	return jsonnet.Contents{}, "", fmt.Errorf("couldn't open import %q: no match locally or in the Jsonnet library paths", wanted)
}

func (i *jsonnetImporter) load(at string) (jsonnet.Contents, bool, error) {
	at, err := clean(at)
	if err != nil {
		return jsonnet.Contents{}, false, err
	}
	if contents, ok := i.known[at]; ok {
		return contents, true, nil
	}
	data, ok, err := i.files.Read(at)
	if err != nil || !ok {
		return jsonnet.Contents{}, false, err
	}
	contents := jsonnet.MakeContentsRaw(data)
	i.known[at] = contents
	return contents, true, nil
}
