package main

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// tree answers asks from a map of files, and counts them.
type tree struct {
	files map[string]string
	asked []ask
}

func (t *tree) vfs() *vfs {
	return newVFS(func(a ask) (*wireTree, error) {
		t.asked = append(t.asked, a)
		answer := &wireTree{Stat: map[string]json.RawMessage{}, List: map[string][][2]string{}, Read: map[string]*string{}}
		for _, p := range a.Stat {
			answer.Stat[p] = json.RawMessage(t.stat(p))
		}
		for _, p := range a.List {
			answer.List[p] = t.list(p)
		}
		for _, p := range a.Read {
			answer.Read[p] = nil
			if text, ok := t.files[p]; ok {
				answer.Read[p] = &text
			}
		}
		return answer, nil
	})
}

func (t *tree) stat(p string) string {
	if _, ok := t.files[p]; ok {
		return `"file"`
	}
	if t.list(p) != nil {
		return `"dir"`
	}
	return "null"
}

func (t *tree) list(dir string) [][2]string {
	var entries [][2]string
	for p := range t.files {
		rest, ok := strings.CutPrefix(p, dir+"/")
		if dir == "" {
			rest, ok = p, true
		}
		if !ok {
			continue
		}
		e := [2]string{rest, "file"}
		if name, _, deep := strings.Cut(rest, "/"); deep {
			e = [2]string{name, "dir"}
		}
		if !slices.Contains(entries, e) {
			entries = append(entries, e)
		}
	}
	return entries
}

func files(names ...string) *tree {
	t := &tree{files: map[string]string{}}
	for _, name := range names {
		t.files[name] = "text of " + name
	}
	return t
}

func mustStat(t *testing.T, v *vfs, p string, want kind) {
	t.Helper()
	i, err := v.Stat(p)
	if err != nil || i.kind != want {
		t.Errorf("Stat(%q) = %v, %v, want %v", p, i.kind, err, want)
	}
}

func TestAListingAnswersForItsChildrenMissesIncluded(t *testing.T) {
	repository := files("a/x", "a/b/y")
	v := repository.vfs()
	if _, ok, err := v.List("a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	mustStat(t, v, "a", directory)
	mustStat(t, v, "a/x", regular)
	mustStat(t, v, "a/b", directory)
	mustStat(t, v, "a/none", missing)
	mustStat(t, v, "a/none/deeper", missing)
	mustStat(t, v, "a/x/below-a-file", missing)
	if asked := len(repository.asked); asked != 2 { // the listing, and what "a" really is
		t.Errorf("%d questions: %v", asked, repository.asked)
	}
}

func TestEverythingThatWasAskedIsInTheTraceAndNothingElse(t *testing.T) {
	v := files("a/x", "a/y").vfs()
	if err := v.Know([]string{"a/y"}, []string{"a"}, nil); err != nil {
		t.Fatal(err)
	}
	mustStat(t, v, "a/x", regular)
	mustStat(t, v, "a/none", missing)
	if _, _, err := v.List("a"); err != nil {
		t.Fatal(err)
	}
	if got, want := v.traced(), []string{"a/", "a/none", "a/x"}; !slices.Equal(got, want) {
		t.Errorf("traced %v, want %v", got, want)
	}
}

func TestWalkAsksOncePerLevelAndGoesInOrder(t *testing.T) {
	repository := files("r/b", "r/a/2", "r/a/1/deep", "r/c/3", "other")
	v := repository.vfs()
	var walked []string
	err := v.Walk("r", true, func(p string, _ entry) error {
		walked = append(walked, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"r/a/1/deep", "r/a/2", "r/b", "r/c/3"}; !slices.Equal(walked, want) {
		t.Errorf("walked %v, want %v", walked, want)
	}
	if len(repository.asked) != 3 {
		t.Errorf("questions: %v", repository.asked)
	}
}

func TestGlobMatchesAsOnADisk(t *testing.T) {
	v := files("v/a.yaml", "v/b.yaml", "v/.hidden", "v/sub/c.yaml", "v/sub/deep/d.yaml", "w/e.yaml").vfs()
	for pattern, want := range map[string][]string{
		"v/*.yaml":    {"v/a.yaml", "v/b.yaml"},
		"*/?.yaml":    {"v/a.yaml", "v/b.yaml", "w/e.yaml"},
		"v/**/*.yaml": {"v/a.yaml", "v/b.yaml", "v/sub/c.yaml", "v/sub/deep/d.yaml"},
		"v/[ab].yaml": {"v/a.yaml", "v/b.yaml"},
		"v/a.yaml":    {"v/a.yaml"},
		"none/*":      nil,
		"v/none":      nil,
	} {
		if got, err := v.Glob(pattern); err != nil || !slices.Equal(got, want) {
			t.Errorf("Glob(%q) = %v, %v, want %v", pattern, got, err, want)
		}
	}
	if _, err := v.Glob("v/["); err == nil {
		t.Error("a pattern that is none was taken")
	}
}

func TestPathsAboveTheRootAreRefusedUnasked(t *testing.T) {
	repository := files("a")
	v := repository.vfs()
	for _, p := range []string{"..", "../a", "a/../../a", "/../a", "a/../.."} {
		if _, err := v.Stat(p); err == nil {
			t.Errorf("Stat(%q) was not refused", p)
		}
		if _, _, err := v.Read(p); err == nil {
			t.Errorf("Read(%q) was not refused", p)
		}
	}
	if v.refuse == nil || len(repository.asked) > 0 || len(v.trace) > 0 {
		t.Error(v.refuse, repository.asked, v.trace)
	}
}

func TestRefusalsOfTheTreeCountForWhatIsBelow(t *testing.T) {
	v := files("a").vfs()
	v.learn(&wireTree{Stat: map[string]json.RawMessage{"link": json.RawMessage(`{"error": "it leaves the repository"}`)}})
	for _, p := range []string{"link", "link/below"} {
		if _, err := v.Stat(p); err == nil || !strings.Contains(err.Error(), "leaves") {
			t.Errorf("Stat(%q): %v", p, err)
		}
		if _, _, err := v.Read(p); err == nil {
			t.Errorf("Read(%q) was not refused", p)
		}
		if _, _, err := v.List(p); err == nil {
			t.Errorf("List(%q) was not refused", p)
		}
	}
}

func TestLinksAreKnownByWhereTheyLead(t *testing.T) {
	v := files().vfs()
	v.learn(&wireTree{
		Stat: map[string]json.RawMessage{"link": json.RawMessage(`{"kind": "dir", "real": "deep/real"}`)},
		List: map[string][][2]string{"": {{"link", "link"}}, "link": {{"f", "file"}, {"sub", "submodule"}}},
	})
	i, err := v.Stat("link/f")
	if err != nil || i.real != "deep/real/f" || i.kind != regular {
		t.Errorf("%+v, %v", i, err)
	}
	if got := v.Submodule("link/sub/x/y"); got != "link/sub" {
		t.Errorf("the submodule is %q", got)
	}
}

func TestDocumentsAreCutWhereKubernetesCutsThem(t *testing.T) {
	text := "---\n# only a comment\n---\na: 1\n--- # comment\n\nb: |\n  ---\n  text\n---\n"
	var lines []int
	for doc := range splitDocuments([]byte(text)) {
		lines = append(lines, doc.line)
	}
	if !slices.Equal(lines, []int{4, 7}) {
		t.Errorf("documents begin on lines %v", lines)
	}
}

func TestReferencesCoverWhatAKustomizationReads(t *testing.T) {
	v := files("app/kustomization.yaml", "app/a.yaml", "app/p.yaml", "app/f.txt", "base/kustomization.yaml", "base/b.yaml").vfs()
	fsys := &kustomizeFS{files: v, cwd: "app", edited: map[string][]byte{}}
	fsys.foresee("app")
	fsys.foreseeReferences("app", []byte("resources: [a.yaml, ../base, ../../out, https://x/y]\npatches: [{path: p.yaml}]\nconfigMapGenerator: [{files: [x=f.txt]}]\n"))
	known := slices.Sorted(maps.Keys(v.reads))
	for _, want := range []string{"app/a.yaml", "app/p.yaml", "app/f.txt", "base/kustomization.yaml"} {
		if !slices.Contains(known, want) {
			t.Errorf("%s was not foreseen: %v", want, known)
		}
	}
	if len(v.trace) > 0 || v.refuse != nil {
		t.Error("what is foreseen is not what was asked:", v.trace, v.refuse)
	}
	for _, p := range known {
		if strings.HasPrefix(p, "..") || path.IsAbs(p) {
			t.Errorf("asked for %s", p)
		}
	}
}

func TestLongMessagesKeepTheirEnds(t *testing.T) {
	short := shorten(strings.Repeat("x", 100) + strings.Repeat("é", 100_000) + "the cause")
	if len(short) > maxMessage+20 || !strings.HasPrefix(short, "xxx") || !strings.HasSuffix(short, "the cause") {
		t.Error(len(short))
	}
}
