package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// mount is where Kustomize sees the repository. It is below the root so that a path with too many ".." can be told from a good one.
const mount = "/repository"

// kustomizeFS shows the tree to Kustomize. Edits of files that are there stay in memory; nothing else can be written.
type kustomizeFS struct {
	files  *vfs
	cwd    string // relative paths are below it; relative to the root of the tree
	edited map[string][]byte
	read   []string // in order, misses included: an error is mostly about one of the last

	index    *elsewhere        // once it was read
	aliases  map[string]string // files of elsewhere by the path at which Kustomize finds them
	shown    map[string]string // what people know an alias by
	building bool              // edits are done
	// Of the build options.
	restricted, withHelm bool
	helmKubeVersion      string
	helmAPIVersions      []string
}

func (f *kustomizeFS) inside(name string) (string, error) {
	if !path.IsAbs(name) {
		name = path.Join(mount, f.cwd, name)
	}
	name = path.Clean(name)
	if name == mount {
		return "", nil
	}
	p, ok := strings.CutPrefix(name, mount+"/")
	if !ok {
		err := inputError("", 0, "%s: the path leaves the repository", name)
		f.files.remember(err)
		return "", err
	}
	return p, nil
}

func (f *kustomizeFS) stat(name string) (string, info, error) {
	p, err := f.inside(name)
	if err != nil {
		return "", info{}, err
	}
	_, edited := f.edited[p]
	if _, alias := f.aliases[p]; alias || edited {
		return p, info{kind: regular, real: p}, nil
	}
	i, err := f.files.Stat(p)
	return p, i, err
}

func (f *kustomizeFS) IsDir(name string) bool {
	_, i, err := f.stat(name)
	return err == nil && i.kind == directory
}

func (f *kustomizeFS) Exists(name string) bool {
	_, i, err := f.stat(name)
	return err == nil && i.kind != missing
}

// CleanedAbs follows links, as it does on a disk: load restrictions are judged by where a file really is.
func (f *kustomizeFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	p, err := f.inside(name)
	if err != nil {
		return "", "", err
	}
	f.foresee(p)
	_, i, err := f.stat(name)
	if err != nil {
		return "", "", err
	}
	real := path.Join(mount, i.real)
	switch i.kind {
	case directory:
		return filesys.ConfirmedDir(real), "", nil
	case regular:
		return filesys.ConfirmedDir(path.Dir(real)), path.Base(real), nil
	case submodule:
		return "", "", unsupportedError(p, "%s is a Git submodule; its files are not fetched", p)
	}
	if s := f.files.Submodule(p); s != "" {
		err := unsupportedError(p, "%s is in the Git submodule %s, whose files are not fetched", p, s)
		f.files.remember(err)
		return "", "", err
	}
	return "", "", fmt.Errorf("'%s' doesn't exist", path.Join(mount, p))
}

func (f *kustomizeFS) ReadFile(name string) ([]byte, error) {
	p, err := f.inside(name)
	if err != nil {
		return nil, err
	}
	f.read = append(f.read, p)
	if data, ok := f.edited[p]; ok {
		if isKustomization(path.Base(p)) {
			return f.localise(p, data)
		}
		return data, nil
	}
	real := p
	if alias, ok := f.aliases[p]; ok {
		real = alias
	}
	data, ok, err := f.files.Read(real)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &os.PathError{Op: "open", Path: path.Join(mount, p), Err: os.ErrNotExist}
	}
	if isKustomization(path.Base(p)) {
		if data, err = f.localise(p, data); err != nil {
			return nil, err
		}
		f.foreseeReferences(path.Dir("/" + p)[1:], data)
	}
	// Kustomize may change what it is given.
	return slices.Clone(data), nil
}

func (f *kustomizeFS) ReadDir(name string) ([]string, error) {
	p, err := f.inside(name)
	if err != nil {
		return nil, err
	}
	entries, ok, err := f.files.List(p)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &os.PathError{Op: "open", Path: path.Join(mount, p), Err: os.ErrNotExist}
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name
	}
	return names, nil
}

func (f *kustomizeFS) Glob(pattern string) ([]string, error) {
	absolute := path.IsAbs(pattern)
	p, err := f.inside(pattern)
	if err != nil {
		return nil, err
	}
	found, err := f.files.Glob(p)
	if err != nil {
		return nil, err
	}
	for i, match := range found {
		found[i] = path.Join(mount, match)
		if !absolute {
			if found[i], err = filepath.Rel(path.Join(mount, f.cwd), found[i]); err != nil {
				return nil, err
			}
		}
	}
	if filesys.IsHiddenFilePath(pattern) {
		return found, nil
	}
	return filesys.RemoveHiddenFiles(found), nil
}

func (f *kustomizeFS) Walk(name string, fn filepath.WalkFunc) error {
	p, err := f.inside(name)
	if err != nil {
		return err
	}
	return f.files.Walk(p, true, func(p string, e entry) error {
		return fn(path.Join(mount, p), entryInfo(e), nil)
	})
}

// WriteFile keeps what an edit writes; only a file that is there can be edited.
func (f *kustomizeFS) WriteFile(name string, data []byte) error {
	p, i, err := f.stat(name)
	if err != nil {
		return err
	}
	if i.kind != regular {
		return f.readOnly("write", name)
	}
	f.edited[p] = data
	return nil
}

func (f *kustomizeFS) readOnly(op, name string) error {
	return &os.PathError{Op: op, Path: name, Err: os.ErrPermission}
}

func (f *kustomizeFS) Create(name string) (filesys.File, error) {
	return nil, f.readOnly("create", name)
}
func (f *kustomizeFS) Open(name string) (filesys.File, error) { return nil, f.readOnly("open", name) }
func (f *kustomizeFS) Mkdir(name string) error                { return f.readOnly("mkdir", name) }
func (f *kustomizeFS) MkdirAll(name string) error             { return f.readOnly("mkdir", name) }
func (f *kustomizeFS) RemoveAll(name string) error            { return f.readOnly("remove", name) }

// entryInfo is what a walk tells of an entry. Nobody asks for its size or time.
type entryInfo entry

func (e entryInfo) Name() string { return e.name }
func (e entryInfo) Size() int64  { return 0 }
func (e entryInfo) Mode() fs.FileMode {
	if e.kind == symlink {
		return fs.ModeSymlink
	}
	return 0
}
func (e entryInfo) ModTime() time.Time { return time.Time{} }
func (e entryInfo) IsDir() bool        { return false }
func (e entryInfo) Sys() any           { return nil }

func isKustomization(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), name)
}

// foresee asks in one frame for what Kustomize looks at when it comes to a path: what it is and, for a directory, its listing (which
// answers most later questions) and its kustomization file. A failure is met again, and told, where the answer is needed.
func (f *kustomizeFS) foresee(p string) {
	if _, ok := f.files.known(p); ok {
		return
	}
	_ = f.files.Know([]string{p}, []string{p}, kustomizationsIn(p))
}

func kustomizationsIn(dir string) []string {
	names := konfig.RecognizedKustomizationFileNames()
	for i, name := range names {
		names[i] = join(dir, name)
	}
	return names
}

// foreseeReferences asks in one frame for what a kustomization file names. What it does not understand is asked for later, one by one.
func (f *kustomizeFS) foreseeReferences(dir string, data []byte) {
	var k references
	if yaml.Unmarshal(data, &k) != nil {
		return
	}
	var stat, list, read []string
	for _, name := range k.all() {
		if name == "" || strings.Contains(name, "\n") || strings.Contains(name, "://") {
			continue
		}
		p, err := clean(path.Join("/", mount, dir, name))
		if err != nil {
			continue
		}
		inside, ok := strings.CutPrefix(p, mount[1:]+"/")
		if !ok {
			continue
		}
		at, known := f.files.known(inside)
		if !known {
			stat = append(stat, inside)
		}
		looksLikeFile := strings.Contains(path.Base(inside), ".")
		if known && at.kind == regular || !known {
			read = append(read, inside)
		}
		if known && at.kind == directory || !known && !looksLikeFile {
			read = append(read, kustomizationsIn(inside)...)
		}
		if !known && !looksLikeFile {
			list = append(list, inside)
		}
	}
	_ = f.files.Know(stat, list, read)
}

// references are the fields of a kustomization that name files or directories.
type references struct {
	Resources, Bases, Components, Crds, Configurations, Generators, Transformers, Validators []string
	PatchesStrategicMerge                                                                    []string
	Patches, PatchesJSON6902                                                                 []struct{ Path string }
	Replacements                                                                             []struct{ Path string }
	ConfigMapGenerator, SecretGenerator                                                      []struct {
		Files, Envs []string
		Env         string
	}
	OpenAPI map[string]string
}

func (k *references) all() []string {
	names := slices.Concat(k.Resources, k.Bases, k.Components, k.Crds, k.Configurations, k.Generators, k.Transformers, k.Validators,
		k.PatchesStrategicMerge)
	for _, p := range slices.Concat(k.Patches, k.PatchesJSON6902, k.Replacements) {
		names = append(names, p.Path)
	}
	for _, g := range slices.Concat(k.ConfigMapGenerator, k.SecretGenerator) {
		names = append(names, g.Env)
		names = append(names, g.Envs...)
		for _, file := range g.Files {
			if _, after, ok := strings.Cut(file, "="); ok {
				file = after
			}
			names = append(names, file)
		}
	}
	return append(names, k.OpenAPI["path"])
}
