package main

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// wireTree is what the asking side tells about the tree, ahead of a request or as the answer to an ask. A listing of null is "no directory
// there", a file of null is "no file there".
type wireTree struct {
	Stat   map[string]json.RawMessage `json:"stat"`
	List   map[string][][2]string     `json:"list"`
	Read   map[string]*string         `json:"read"`
	Read64 map[string][]byte          `json:"read64"`
}

type kind uint8

const (
	missing kind = iota
	regular
	directory
	submodule
	symlink // only as an entry of a listing: a stat follows links
)

var kinds = map[string]kind{"file": regular, "dir": directory, "submodule": submodule, "link": symlink}

// info is what is at a path once links are followed. real is the path without links; refusal says why the tree does not show it.
type info struct {
	kind    kind
	real    string
	refusal string
}

type entry struct {
	name string
	kind kind
}

// vfs is the tree of one request. Paths are relative to the root of the repository, without leading slash; the root is "". It remembers
// everything it was told, derives what follows from it, asks for the rest, and records what was asked of it: the trace.
type vfs struct {
	ask    func(ask) (*wireTree, error)
	stats  map[string]info
	lists  map[string][]entry // nil: no directory
	reads  map[string][]byte  // nil: no file
	trace  map[string]struct{}
	refuse error // the first refusal: libraries turn it into "not found", and it is the better message
}

func newVFS(ask func(ask) (*wireTree, error)) *vfs {
	return &vfs{
		ask:   ask,
		stats: map[string]info{"": {kind: directory}},
		lists: map[string][]entry{},
		reads: map[string][]byte{},
		trace: map[string]struct{}{},
	}
}

// clean brings a path into the form of this file. A path above the root is refused.
func clean(p string) (string, error) {
	p = path.Clean(strings.TrimLeft(p, "/"))
	if p == "." {
		return "", nil
	}
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", inputError(p, 0, "%s: the path leaves the repository", p)
	}
	return p, nil
}

// parentOf splits "a/b/c" into "a/b" and "c".
func parentOf(p string) (string, string) {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i], p[i+1:]
	}
	return "", p
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// learn takes in what the asking side told.
func (v *vfs) learn(t *wireTree) {
	if t == nil {
		return
	}
	for p, raw := range t.Stat {
		v.stats[p] = decodeStat(p, raw)
	}
	for p, names := range t.List {
		if names == nil {
			v.lists[p] = nil
			continue
		}
		entries := make([]entry, len(names))
		for i, n := range names {
			entries[i] = entry{n[0], kinds[n[1]]}
		}
		slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		v.lists[p] = entries
	}
	for p, text := range t.Read {
		if text == nil {
			v.reads[p] = nil
			continue
		}
		v.reads[p] = append([]byte{}, *text...)
	}
	for p, data := range t.Read64 {
		v.reads[p] = append([]byte{}, data...)
	}
}

func decodeStat(p string, raw json.RawMessage) info {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return info{kind: kinds[name], real: p}
	}
	var full struct{ Kind, Real, Error string }
	if err := json.Unmarshal(raw, &full); err != nil {
		protocolError("stat of %s: %v", p, err)
	}
	return info{kind: kinds[full.Kind], real: full.Real, refusal: full.Error}
}

// known answers a stat from what is known: told as such, or following from a listing or from a parent that is not there.
func (v *vfs) known(p string) (info, bool) {
	if i, ok := v.stats[p]; ok {
		return i, true
	}
	dir, name := parentOf(p)
	if entries, ok := v.lists[dir]; ok {
		e, there := findEntry(entries, name)
		if !there {
			return info{}, true
		}
		if e.kind != symlink {
			if parent, ok := v.known(dir); ok {
				return info{kind: e.kind, real: join(parent.real, name)}, true
			}
		}
		return info{}, false
	}
	if parent, ok := v.known(dir); ok && parent.kind != directory {
		return info{refusal: parent.refusal}, true
	}
	return info{}, false
}

func findEntry(entries []entry, name string) (entry, bool) {
	i, there := slices.BinarySearchFunc(entries, name, func(e entry, n string) int { return strings.Compare(e.name, n) })
	if !there {
		return entry{}, false
	}
	return entries[i], true
}

// Know asks, in one frame, for everything of these paths that is not known yet. It traces nothing: it only saves later questions.
func (v *vfs) Know(stat, list, read []string) error {
	a := ask{
		Stat: slices.DeleteFunc(stat, func(p string) bool { _, ok := v.known(p); return ok }),
		List: slices.DeleteFunc(list, func(p string) bool { _, ok := v.lists[p]; return ok || v.isGone(p) }),
		Read: slices.DeleteFunc(read, func(p string) bool { _, ok := v.reads[p]; return ok || v.isGone(p) }),
	}
	if len(a.Stat)+len(a.List)+len(a.Read) == 0 {
		return nil
	}
	tree, err := v.ask(a)
	if err != nil {
		return err
	}
	v.learn(tree)
	return nil
}

// isGone says that p is known to be missing or refused, so that neither a listing nor a read can succeed.
func (v *vfs) isGone(p string) bool {
	i, ok := v.known(p)
	return ok && i.kind == missing
}

// Stat says what is at p once links are followed. The error is a refusal: the path leaves the repository, or links in circles.
func (v *vfs) Stat(p string) (info, error) {
	p, err := v.note(p, "")
	if err != nil {
		return info{}, err
	}
	i, ok := v.known(p)
	if !ok {
		if err := v.Know([]string{p}, nil, nil); err != nil {
			return info{}, err
		}
		if i, ok = v.known(p); !ok {
			protocolError("a stat of %s was not answered", p)
		}
	}
	return i, v.refusal(p, i)
}

// mounts is the folder in which the asking side mounts what comes from elsewhere. It is found by its name and listed nowhere, so that a chart or
// a folder at the root of a repository does not take it for a part of itself.
const mounts = ".homeostat"

// List answers the entries of the directory at p in the order of their names, and whether it is one.
func (v *vfs) List(p string) ([]entry, bool, error) {
	p, err := v.note(p, "/")
	if err != nil {
		return nil, false, err
	}
	if err := v.Know(nil, []string{p}, nil); err != nil {
		return nil, false, err
	}
	entries := v.lists[p]
	if entries == nil {
		i, _ := v.known(p)
		return nil, false, v.refusal(p, i)
	}
	if p == "" {
		entries = slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.name == mounts })
	}
	return entries, true, nil
}

// Read answers the bytes of the file at p, and whether there is one. The bytes belong to the tree: do not change them.
func (v *vfs) Read(p string) ([]byte, bool, error) {
	p, err := v.note(p, "")
	if err != nil {
		return nil, false, err
	}
	if err := v.Know(nil, nil, []string{p}); err != nil {
		return nil, false, err
	}
	data := v.reads[p]
	if data == nil {
		i, _ := v.known(p)
		return nil, false, v.refusal(p, i)
	}
	return data, true, nil
}

// Submodule names the submodule in which p would be, if it is in one: its files are not part of the tree.
func (v *vfs) Submodule(p string) string {
	for p, _ := clean(p); p != ""; p, _ = parentOf(p) {
		if i, ok := v.known(p); ok && i.kind == submodule {
			return p
		}
	}
	return ""
}

// Walk calls fn for every file and link below dir, in the order of filepath.Walk, with paths relative to the root. It goes into directories
// when deep is set, never through links. Directories of one level are listed with one question.
func (v *vfs) Walk(dir string, deep bool, fn func(p string, e entry) error) error {
	entries, ok, err := v.List(dir)
	if err != nil || !ok {
		return err
	}
	if deep {
		if err := v.listBelow(dir, entries); err != nil {
			return err
		}
	}
	for _, e := range entries {
		p := join(dir, e.name)
		if e.kind == directory {
			if !deep {
				continue
			}
			if err := v.Walk(p, deep, fn); err != nil {
				return err
			}
			continue
		}
		if err := fn(p, e); err != nil {
			return err
		}
	}
	return nil
}

func (v *vfs) listBelow(dir string, entries []entry) error {
	level := subdirectories(dir, entries)
	for len(level) > 0 {
		if err := v.Know(nil, slices.Clone(level), nil); err != nil {
			return err
		}
		var next []string
		for _, d := range level {
			next = append(next, subdirectories(d, v.lists[d])...)
		}
		level = next
	}
	return nil
}

func subdirectories(dir string, entries []entry) []string {
	var found []string
	for _, e := range entries {
		if e.kind == directory {
			found = append(found, join(dir, e.name))
		}
	}
	return found
}

// Glob answers what matches a pattern of path.Match whose parts are matched one by one, in the order of filepath.Glob. A part "**" stands for
// any number of directories. Only the directories that it must look into are listed.
func (v *vfs) Glob(pattern string) ([]string, error) {
	pattern, err := clean(pattern)
	if err != nil {
		return nil, err
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, inputError("", 0, "the pattern %q is not valid", pattern)
	}
	found := []string{""}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range found {
			matches, err := v.globIn(dir, part)
			if err != nil {
				return nil, err
			}
			next = append(next, matches...)
		}
		found = next
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (v *vfs) globIn(dir, part string) ([]string, error) {
	if part == "**" {
		return v.directories(dir)
	}
	if !strings.ContainsAny(part, `*?[\`) {
		p := join(dir, part)
		i, err := v.Stat(p)
		if err != nil || i.kind == missing {
			return nil, err
		}
		return []string{p}, nil
	}
	if i, err := v.Stat(dir); err != nil || i.kind != directory {
		return nil, err
	}
	entries, _, err := v.List(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if ok, _ := path.Match(part, e.name); ok {
			found = append(found, join(dir, e.name))
		}
	}
	return found, nil
}

// directories answers dir and every directory below it, links not followed.
func (v *vfs) directories(dir string) ([]string, error) {
	entries, ok, err := v.List(dir)
	if err != nil || !ok {
		return nil, err
	}
	if err := v.listBelow(dir, entries); err != nil {
		return nil, err
	}
	found := []string{dir}
	for _, sub := range subdirectories(dir, entries) {
		below, err := v.directories(sub)
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

func (v *vfs) note(p, suffix string) (string, error) {
	p, err := clean(p)
	if err != nil {
		v.remember(err)
		return "", err
	}
	if key := p + suffix; key != "" { // the root is always there
		v.trace[key] = struct{}{}
	}
	return p, nil
}

func (v *vfs) refusal(p string, i info) error {
	if i.refusal == "" {
		return nil
	}
	err := inputError(p, 0, "%s", i.refusal)
	v.remember(err)
	return err
}

func (v *vfs) remember(err error) {
	if v.refuse == nil {
		v.refuse = err
	}
}

func (v *vfs) traced() []string {
	keys := make([]string, 0, len(v.trace))
	for k := range v.trace {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
