package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
	"sigs.k8s.io/yaml"
)

// loadChart reads the chart at dir as Helm does from a disk: without what .helmignore names, links followed, subcharts in charts/ unpacked.
func loadChart(files *vfs, dir string) (*chart.Chart, error) { return loadChartOf(files, dir, false) }

// loadChartOf reads a chart; packed says that it comes from an archive, to which .helmignore was applied when it was made.
func loadChartOf(files *vfs, dir string, packed bool) (*chart.Chart, error) {
	at, err := files.Stat(dir)
	if err != nil {
		return nil, err
	}
	if at.kind != directory {
		return nil, inputError(dir, 0, "%s: app path does not exist or is not a directory", dir)
	}
	manifest := join(dir, chartFile)
	_ = files.Know(nil, []string{dir}, []string{manifest, join(dir, ignore.HelmIgnore)})
	data, ok, err := files.Read(manifest)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, inputError(dir, 0, "Chart.yaml file is missing in %s", dir)
	}
	var meta struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := yaml.Unmarshal(data, &meta); err != nil {
		return nil, chartError(dir, fmt.Errorf("cannot load Chart.yaml: %w", err))
	}
	switch meta.APIVersion {
	case "", chart.APIVersionV1, chart.APIVersionV2:
	default:
		return nil, unsupportedError(manifest, "%s: charts with apiVersion %q are not supported", manifest, meta.APIVersion)
	}
	found, err := chartFiles(files, dir, packed)
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(found)
	if err != nil {
		return nil, chartError(dir, err)
	}
	return loaded, nil
}

const chartFile = "Chart.yaml"

// maxChartDepth ends a walk through links that lead in circles.
const maxChartDepth = 40

var utf8bom = []byte{0xEF, 0xBB, 0xBF}

func chartFiles(files *vfs, dir string, packed bool) ([]*archive.BufferedFile, error) {
	rules := ignore.Empty()
	data, ok, err := files.Read(join(dir, ignore.HelmIgnore))
	if err != nil {
		return nil, err
	}
	if ok && !packed {
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, inputError(join(dir, ignore.HelmIgnore), 0, "%s: %v", ignore.HelmIgnore, err)
		}
	}
	if !packed {
		rules.AddDefaults()
	}
	w := chartWalk{files: files, dir: dir, rules: rules}
	if err := w.walk(dir, 0); err != nil {
		return nil, err
	}
	if err := files.Know(nil, nil, slices.Clone(w.found)); err != nil {
		return nil, err
	}
	buffered := make([]*archive.BufferedFile, 0, len(w.found))
	for _, p := range w.found {
		data, ok, err := files.Read(p)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, inputError(p, 0, "%s: the link leads nowhere", p)
		}
		data = bytes.TrimPrefix(data, utf8bom)
		buffered = append(buffered, &archive.BufferedFile{Name: relativeTo(dir, p), Data: data})
	}
	return buffered, nil
}

type chartWalk struct {
	files *vfs
	dir   string
	rules *ignore.Rules
	found []string
}

func (w *chartWalk) walk(dir string, depth int) error {
	if depth > maxChartDepth {
		return inputError(dir, 0, "%s: the directories of the chart are nested too deep; do links lead in circles?", dir)
	}
	entries, _, err := w.files.List(dir)
	if err != nil {
		return err
	}
	if err := w.files.Know(nil, subdirectories(dir, entries), nil); err != nil {
		return err
	}
	for _, e := range entries {
		p := join(dir, e.name)
		if e.kind == symlink {
			at, err := w.files.Stat(p)
			if err != nil {
				return err
			}
			e.kind = at.kind
		}
		if w.rules.Ignore(relativeTo(w.dir, p), chartEntry{entryInfo(e)}) {
			continue
		}
		if e.kind == directory {
			if err := w.walk(p, depth+1); err != nil {
				return err
			}
			continue
		}
		if e.kind == submodule {
			return unsupportedError(p, "%s is a Git submodule; its files are not fetched", p)
		}
		w.found = append(w.found, p)
	}
	return nil
}

// chartEntry is what ignore rules ask of an entry.
type chartEntry struct{ entryInfo }

func (e chartEntry) IsDir() bool { return e.kind == directory }
func (e chartEntry) Mode() fs.FileMode {
	if e.kind == directory {
		return fs.ModeDir
	}
	return 0
}

var (
	chartLoadPlace = regexp.MustCompile(`cannot load (\S+\.(?:yaml|lock))`)
	templatePlace  = regexp.MustCompile(`\b([\w.-]+(?:/[\w.+-]+)*/[\w.+-]+\.[\w]+):(\d+)`)
	templateFile   = regexp.MustCompile(`YAML parse error on ([^:\s]+)`)
)

// chartError gives an error of Helm the file and line that its message names. Helm names files by chart, the repository by directory.
func chartError(dir string, err error) *failure {
	message := strings.TrimSpace(err.Error())
	file, line := join(dir, chartFile), 0
	if match := chartLoadPlace.FindStringSubmatch(message); match != nil {
		file = join(dir, match[1])
	}
	if match := templatePlace.FindStringSubmatch(message); match != nil {
		file = chartPath(dir, match[1])
		line, _ = strconv.Atoi(match[2])
	} else if match := templateFile.FindStringSubmatch(message); match != nil {
		file = chartPath(dir, match[1])
	}
	if match := lineNumber.FindStringSubmatch(message); line == 0 && match != nil {
		line, _ = strconv.Atoi(match[1])
	}
	return inputError(file, line, "%s", message)
}

// chartPath turns "shop/templates/web.yaml", as Helm names a template, into a path of the repository.
func chartPath(dir, name string) string {
	_, rest, ok := strings.Cut(name, "/")
	if !ok {
		return path.Join(dir, name)
	}
	return path.Join(dir, rest)
}
