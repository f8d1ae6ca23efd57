package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
)

// helmValues merges the values of an app: files in order, then inline values, then parameters, as Helm merges its flags.
func helmValues(files *vfs, dir string, request *helmRequest) (map[string]any, error) {
	options := &request.Options
	base := map[string]any{}
	paths, err := valueFiles(files, dir, request)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		data, ok, err := files.Read(p)
		if err != nil {
			return nil, err
		}
		shown := shownValueFile(p, options.ValueFiles)
		if !ok {
			return nil, inputError(shown, 0, "value file %s: no such file", shown)
		}
		values, err := loader.LoadValues(bytes.NewReader(data))
		if err != nil {
			return nil, valuesError(shown, "failed to parse %s: %s", shown, err)
		}
		base = loader.MergeMaps(base, values)
	}
	inline, name := []byte(options.Values), "helm.values"
	if len(options.ValuesObject) > 0 && string(options.ValuesObject) != "null" {
		inline, name = options.ValuesObject, "helm.valuesObject"
	}
	values, err := loader.LoadValues(bytes.NewReader(inline))
	if err != nil {
		return nil, valuesError("", "failed to parse %s: %s", name, err)
	}
	base = loader.MergeMaps(base, values)
	return base, setParameters(files, dir, request, base)
}

func valuesError(file, format, name string, err error) *failure {
	message, line := placeYAMLError(err.Error(), 1)
	return inputError(file, line, format, name, message)
}

// setParameters does as Helm does with its flags: all --set, then all --set-string, then all --set-file.
func setParameters(files *vfs, dir string, request *helmRequest, base map[string]any) error {
	for _, force := range []bool{false, true} {
		parse := strvals.ParseInto
		if force {
			parse = strvals.ParseIntoString
		}
		for _, p := range request.Options.Parameters {
			if p.ForceString != force {
				continue
			}
			if err := parse(p.Name+"="+escapeCommas(substitute(p.Value, request.Env)), base); err != nil {
				return inputError("", 0, "helm parameter %q: %v", p.Name, err)
			}
		}
	}
	for _, p := range request.Options.FileParameters {
		at, err := resolveValueFile(files, "helm.fileParameters", dir, p.Path, request)
		if err != nil {
			return err
		}
		shown := shownValueFile(at, []string{p.Path})
		read := func([]rune) (any, error) {
			data, ok, err := files.Read(at)
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, fmt.Errorf("file %s: no such file", shown)
			}
			return string(data), nil
		}
		// The path was resolved above; what stands here only has to be there.
		if err := strvals.ParseIntoFile(p.Name+"=file", base, read); err != nil {
			return inputError(shown, 0, "helm file parameter %q: %v", p.Name, err)
		}
	}
	return nil
}

// escapeCommas keeps a comma in a value from starting the next parameter, unless the value is a list in braces, as Argo CD does.
func escapeCommas(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var out strings.Builder
	for i, r := range value {
		if r == ',' && (i == 0 || value[i-1] != '\\') {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// valueFiles resolves helm.valueFiles: relative to the chart, from the root of the repository with a leading slash, from the root of another source
// with "$ref/", patterns in the order of names. A file that a pattern matches and that is also named keeps the place where it is named.
func valueFiles(files *vfs, dir string, request *helmRequest) ([]string, error) {
	options := &request.Options
	var resolved []string
	for _, name := range options.ValueFiles {
		p, err := resolveValueFile(files, "helm.valueFiles", dir, name, request)
		if err != nil {
			return nil, err
		}
		resolved = append(resolved, p)
	}
	_ = files.Know(nil, nil, slices.DeleteFunc(slices.Clone(resolved), isPattern))
	var found []string
	for i, p := range resolved {
		if isPattern(p) {
			matches, err := files.Glob(p)
			if err != nil {
				return nil, err
			}
			if len(matches) == 0 && !options.IgnoreMissingValueFiles {
				return nil, inputError("", 0, "helm.valueFiles: %q matches no file", options.ValueFiles[i])
			}
			for _, m := range matches {
				if !slices.Contains(resolved, m) && !slices.Contains(found, m) {
					found = append(found, m)
				}
			}
			continue
		}
		if options.IgnoreMissingValueFiles {
			if at, err := files.Stat(p); err != nil {
				return nil, err
			} else if at.kind != regular {
				continue
			}
		}
		found = append(found, p)
	}
	return found, nil
}

func isPattern(p string) bool { return strings.ContainsAny(p, "*?[") }

// refsMounted is the folder below which the asking side mounts the other sources of an app, by the name of their ref.
const refsMounted = mounts + "/ref"

// valuesMounted is the folder below which the asking side mounts what it has fetched from URLs, each in a folder by the digest of its address. That
// folder is there also when the server has no such file.
const valuesMounted = mounts + "/values"

func fetchedValueFile(url string) string {
	return fmt.Sprintf("%s/%x/file", valuesMounted, sha256.Sum256([]byte(url)))
}

// shownValueFile is how people know the file at p, one of those that names are about.
func shownValueFile(p string, names []string) string {
	for _, name := range names {
		if fetchedValueFile(name) == p {
			return shownURL(name)
		}
	}
	return p
}

// shownURL leaves out what may be secret: user information and parameters.
func shownURL(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// resolveValueFile is where the file is that field names. "$ref/…" is in another source, from its root, and stays there.
func resolveValueFile(files *vfs, field, dir, name string, request *helmRequest) (string, error) {
	if ref, below, _ := strings.Cut(name, "/"); strings.HasPrefix(ref, "$") {
		ref = strings.TrimPrefix(ref, "$")
		if slices.Contains(request.Refs, ref) {
			p, err := clean(substitute(below, request.Env))
			if err != nil {
				return "", inputError("", 0, "%s: %q leaves the source that $%s stands for", field, name, ref)
			}
			return join(refsMounted+"/"+ref, p), nil
		}
		// What is left is the name of a variable, or of nothing.
		if _, known := request.Env[strings.Trim(ref, "{}")]; !known {
			return "", inputError("", 0, "%s: %q: no source of the app has the ref %q", field, name, ref)
		}
	}
	name = substitute(name, request.Env)
	if u, err := url.Parse(name); err == nil && u.Scheme != "" {
		at := fetchedValueFile(name)
		folder, err := files.Stat(path.Dir(at))
		if err != nil {
			return "", err
		}
		if folder.kind != directory {
			return "", unsupportedError("", "%s: %q was not fetched: URLs are fetched that stand in the Application itself, without variables", field, shownURL(name))
		}
		return at, nil
	}
	at := name
	if !path.IsAbs(name) {
		at = dir + "/" + name
	}
	p, err := clean(at)
	if err != nil {
		return "", inputError("", 0, "value file %q resolved to outside repository root", name)
	}
	return p, nil
}

// validateValues checks the values of a chart and its subcharts against their schemas as Helm does, with a validator that reads no disk and
// no network.
func validateValues(c *chart.Chart, dir string, values any) error {
	var problems strings.Builder
	if err := validateChart(c, dir, values, &problems); err != nil {
		return err
	}
	if problems.Len() == 0 {
		return nil
	}
	return inputError(join(dir, "values.schema.json"), 0, "values don't meet the specifications of the schema(s) in the following chart(s):\n%s",
		strings.TrimSpace(problems.String()))
}

func validateChart(c *chart.Chart, dir string, values any, problems *strings.Builder) error {
	values = asMap(values)
	if c.Schema != nil {
		if err := validateSchema(c.Schema, values); err != nil {
			if f, ok := err.(*failure); ok {
				f.File = join(dir, "values.schema.json")
				return f
			}
			fmt.Fprintf(problems, "%s:\n%s\n", c.Name(), strings.TrimPrefix(err.Error(), "jsonschema validation failed with '"+schemaURL+"#'\n"))
		}
	}
	of, _ := values.(map[string]any)
	for _, sub := range c.Dependencies() {
		own, ok := of[sub.Name()]
		if !ok || own == nil {
			continue
		}
		if _, ok := asMap(own).(map[string]any); !ok {
			fmt.Fprintf(problems, "%s:\ninvalid type for values: expected object (map), got %T\n", sub.Name(), own)
			continue
		}
		if err := validateChart(sub, dir, own, problems); err != nil {
			return err
		}
	}
	return nil
}

func asMap(values any) any {
	switch v := values.(type) {
	case common.Values:
		return map[string]any(v)
	case nil:
		return map[string]any{}
	}
	return values
}

const schemaURL = "file:///values.schema.json"

// refusingLoader answers what a schema refers to outside of itself. It keeps the refusal: the compiler wraps it beyond recognition.
type refusingLoader struct{ refused *failure }

func (l *refusingLoader) Load(at string) (any, error) {
	if strings.HasPrefix(at, "urn:") {
		// Helm lets an unknown URN pass.
		if doc, err := util.URNResolver(at); err == nil && doc != nil {
			return doc, nil
		}
		return true, nil
	}
	l.refused = unsupportedError("", "values.schema.json refers to %s, which is not supported: have it in the schema itself", at)
	return nil, l.refused
}

func validateSchema(text []byte, values any) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("unable to validate schema: %v", caught)
		}
	}()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	loader := &refusingLoader{}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(loader)
	if err := compiler.AddResource(schemaURL, schema); err != nil {
		return err
	}
	compiled, err := compiler.Compile(schemaURL)
	if loader.refused != nil {
		return loader.refused
	}
	if err != nil {
		return err
	}
	return compiled.Validate(values)
}
