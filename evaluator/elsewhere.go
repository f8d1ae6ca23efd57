package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// What kustomizations name elsewhere was fetched before the render and is mounted in the tree; an index says where. Kustomize itself gets to see
// kustomizations in which these names are paths, so that its own rules about roots and cycles hold.
const (
	elsewhereIndex   = ".homeostat/overlay/index.json"
	elsewhereRemotes = ".homeostat/remote/"
)

type elsewhere struct {
	Remotes map[string]remote `json:"remotes"` // by the name that stands in a kustomization
	Charts  map[string]string `json:"charts"`  // by repository, name and version, a line each
}

// remote is a base or a file: where it is in the tree, below which path all of its repository is, and its name as far as it may be shown.
type remote struct {
	Path  string `json:"path"`
	Root  string `json:"root"`
	Repo  string `json:"repo"`
	Ref   string `json:"ref"`
	Shown string `json:"shown"`
}

func (r *remote) isFile() bool { return r.Path == r.Root+"/file.yaml" }

func (f *kustomizeFS) elsewhere() (*elsewhere, error) {
	if f.index != nil {
		return f.index, nil
	}
	data, ok, err := f.files.Read(elsewhereIndex)
	if err != nil {
		return nil, err
	}
	f.index = &elsewhere{}
	if ok {
		if err := json.Unmarshal(data, f.index); err != nil {
			return nil, err
		}
	}
	return f.index, nil
}

var namesElsewhere = regexp.MustCompile(`(?i)://|@|github\.com|git::`)

// localise is the kustomization at p as Kustomize is to see it: names from elsewhere are paths, charts are the objects that they render to.
func (f *kustomizeFS) localise(p string, data []byte) ([]byte, error) {
	dir, _ := parentOf(p)
	if root := remoteRoot(p); root != "" {
		if err := f.staysInside(p, dir, root, data); err != nil {
			return nil, f.remembered(err)
		}
	}
	data, err := f.inflate(p, dir, data)
	if err != nil {
		return nil, f.remembered(err)
	}
	if namesElsewhere.Match(data) {
		index, err := f.elsewhere()
		if err != nil {
			return nil, f.remembered(err)
		}
		if len(index.Remotes) > 0 {
			data = f.rename(dir, data, index)
		}
	}
	return data, nil
}

func (f *kustomizeFS) remembered(err error) error {
	if err != nil {
		f.files.remember(err)
	}
	return err
}

// rename puts paths in the place of names that the index knows.
func (f *kustomizeFS) rename(dir string, data []byte, index *elsewhere) []byte {
	var k map[string]any
	if yaml.Unmarshal(data, &k) != nil {
		return data // Kustomize says why
	}
	changed := false
	local := func(value any) any {
		name, _ := value.(string)
		found, ok := index.Remotes[name]
		if !ok {
			return value
		}
		changed = true
		if found.isFile() {
			// Beside the kustomization, where load restrictions allow a file.
			return f.alias(dir, path.Base(found.Root), found.Path, found.Shown)
		}
		relative, _ := filepath.Rel("/"+dir, "/"+found.Path)
		return relative
	}
	for _, field := range []string{"resources", "bases", "components", "generators", "transformers", "validators", "crds", "configurations",
		"patchesStrategicMerge"} {
		names, _ := k[field].([]any)
		for i := range names {
			names[i] = local(names[i])
		}
	}
	for _, field := range []string{"patches", "patchesJson6902", "replacements"} {
		entries, _ := k[field].([]any)
		for _, e := range entries {
			if entry, ok := e.(map[string]any); ok && entry["path"] != nil {
				entry["path"] = local(entry["path"])
			}
		}
	}
	if !changed {
		return data
	}
	if renamed, err := yaml.Marshal(k); err == nil {
		return renamed
	}
	return data
}

// localComponents are the components of source.kustomize as "kustomize edit" is to see them.
func (f *kustomizeFS) localComponents(components []string) ([]string, error) {
	if !slices.ContainsFunc(components, namesElsewhere.MatchString) {
		return components, nil
	}
	index, err := f.elsewhere()
	if err != nil {
		return nil, err
	}
	local := slices.Clone(components)
	for i, name := range local {
		if found, ok := index.Remotes[name]; ok {
			if local[i], err = filepath.Rel("/"+f.cwd, "/"+found.Path); err != nil {
				return nil, err
			}
		}
	}
	return local, nil
}

// alias shows the file at real in dir, and answers its name there. shown is what people know it by.
func (f *kustomizeFS) alias(dir, id, real, shown string) string {
	name := ".homeostat-" + id + ".yaml"
	f.aliases[join(dir, name)] = real
	f.shown[name] = shown
	return name
}

// remoteRoot is the repository from elsewhere that p is in, if it is in one.
func remoteRoot(p string) string {
	rest, ok := strings.CutPrefix(p, elsewhereRemotes)
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "/")
	return elsewhereRemotes + id
}

// staysInside refuses a kustomization from elsewhere that names files outside of its repository: what is around it is not its own.
func (f *kustomizeFS) staysInside(p, dir, root string, data []byte) error {
	var k references
	if yaml.Unmarshal(data, &k) != nil {
		return nil
	}
	for _, name := range k.all() {
		if name == "" || strings.Contains(name, "\n") || strings.Contains(name, "://") {
			continue
		}
		at := path.Join(dir, name)
		if at != root && !strings.HasPrefix(at, root+"/") {
			return inputError(p, 0, "%s: %q leaves the repository that the kustomization is in", p, name)
		}
	}
	return nil
}

var mountedName = regexp.MustCompile(`(?:\.\./)*\.homeostat/(?:remote|charts)/[0-9a-f]{20}(?:/[\w./+-]*)?`)

var aliasName = regexp.MustCompile(`(?:[\w./-]*/)?(\.homeostat-[\w-]+\.yaml)`)

var signIn = regexp.MustCompile(`(://)[^/@\s]*@`)

// named puts the names that people know in the place of paths of mounts.
func (f *kustomizeFS) named(text string) string {
	text = signIn.ReplaceAllString(text, "$1")
	if !strings.Contains(text, ".homeostat") {
		return text
	}
	text = aliasName.ReplaceAllStringFunc(text, func(found string) string {
		if shown, ok := f.shown[path.Base(found)]; ok {
			return shown
		}
		return found
	})
	index, err := f.elsewhere()
	if err != nil {
		return text
	}
	return mountedName.ReplaceAllStringFunc(text, func(found string) string {
		at := strings.TrimRight(strings.TrimLeft(found, "./"), "/")
		at = "." + at
		for _, r := range index.Remotes {
			if at == r.Path {
				return r.Shown
			}
			if rest, ok := strings.CutPrefix(at, r.Root); ok && (rest == "" || rest[0] == '/') {
				return r.Repo + rest
			}
		}
		for key, mounted := range index.Charts {
			if rest, ok := strings.CutPrefix(at, mounted); ok {
				parts := strings.Split(key, "\n")
				return strings.TrimSuffix(parts[1]+"-"+parts[2], "-") + rest
			}
		}
		return found
	})
}

// origins tells where objects from elsewhere come from, for those who asked for it with buildMetadata.
func (f *kustomizeFS) origins(raw []byte) []byte {
	if f.index == nil || !bytes.Contains(raw, []byte(elsewhereRemotes)) {
		return raw
	}
	var obj map[string]any
	if json.Unmarshal(raw, &obj) != nil {
		return raw
	}
	metadata, _ := obj["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for _, annotation := range []string{"config.kubernetes.io/origin", "alpha.config.kubernetes.io/transformations"} {
		text, _ := annotations[annotation].(string)
		var origin any
		if yaml.Unmarshal([]byte(text), &origin) != nil || origin == nil {
			continue
		}
		f.tellOrigin(origin)
		if told, err := yaml.Marshal(origin); err == nil {
			annotations[annotation] = string(told)
		}
	}
	if told, err := json.Marshal(obj); err == nil {
		return told
	}
	return raw
}

func (f *kustomizeFS) tellOrigin(origin any) {
	if several, ok := origin.([]any); ok {
		for _, one := range several {
			f.tellOrigin(one)
		}
	}
	one, _ := origin.(map[string]any)
	for _, field := range []string{"path", "configuredIn"} {
		at, _ := one[field].(string)
		for _, r := range f.index.Remotes {
			rest, ok := strings.CutPrefix("."+strings.TrimLeft(at, "./"), r.Root+"/")
			if !ok || r.isFile() {
				continue
			}
			one[field], one["repo"] = rest, r.Repo
			if r.Ref != "" {
				one["ref"] = r.Ref
			}
		}
	}
}

// isBelow holds a file that a chart entry names against the load restrictions, as Kustomize's loader does.
func (f *kustomizeFS) isBelow(dir, name string) (string, error) {
	p, err := clean(path.Join("/", dir, name))
	if path.IsAbs(name) || err != nil || strings.HasPrefix(path.Join(mount[1:], dir, name), "..") {
		return "", inputError("", 0, "%s: the path leaves the repository", name)
	}
	_, i, err := f.stat(path.Join(mount, p))
	if err != nil {
		return "", err
	}
	real := p
	if i.kind != missing {
		real = i.real
	}
	if root := remoteRoot(dir); root != "" && real != root && !strings.HasPrefix(real, root+"/") {
		return "", inputError("", 0, "%s: the path leaves the repository that the kustomization is in", name)
	}
	if f.restricted && dir != "" && real != dir && !strings.HasPrefix(real, dir+"/") {
		return "", fmt.Errorf("security; file '%s' is not in or below '%s'", real, dir)
	}
	return p, nil
}

var generatorMark = []byte("HelmChartInflationGenerator")

func mentionsCharts(data []byte) bool {
	return slices.ContainsFunc([][]byte{[]byte("helmChart"), generatorMark, []byte("generators")}, func(mark []byte) bool {
		return bytes.Contains(data, mark)
	})
}
