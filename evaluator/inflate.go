package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"
	"sigs.k8s.io/yaml"
)

// chartGenerator is one chart to inflate, as Kustomize's own generator is configured. That one runs the helm program; here the library does it.
type chartGenerator struct {
	types.HelmGlobals `json:",inline"`
	types.HelmChart   `json:",inline"`
}

// inflate puts what charts render to in their place: a kustomization without helmCharts, with one more resource for each of them.
func (f *kustomizeFS) inflate(p, dir string, data []byte) ([]byte, error) {
	if !f.building || !f.withHelm || !mentionsCharts(data) {
		return data, nil
	}
	var k types.Kustomization
	if k.Unmarshal(data) != nil {
		return data, nil // Kustomize says why
	}
	k.FixKustomization()
	var charts []chartGenerator
	globals := types.HelmGlobals{}
	if k.HelmGlobals != nil {
		globals = *k.HelmGlobals
	}
	for _, c := range k.HelmCharts {
		charts = append(charts, chartGenerator{globals, c})
	}
	generators := []any{}
	for _, name := range k.Generators {
		found, err := f.chartGenerators(dir, name)
		if err != nil {
			return nil, err
		}
		if found == nil {
			generators = append(generators, name)
		}
		charts = append(charts, found...)
	}
	if len(charts) == 0 {
		return data, nil
	}
	var fields map[string]any
	if err := yaml.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	resources, _ := fields["resources"].([]any)
	for _, c := range charts {
		text, err := f.inflateChart(dir, &c)
		if err != nil {
			var own *failure
			if errors.As(err, &own) && own.File != "" {
				return nil, err
			}
			return nil, inputError(p, 0, "%s: chart %s: %v", p, c.Name, err)
		}
		name := f.alias(dir, "chart-"+strconv.Itoa(len(f.edited)), "", "chart "+c.Name)
		f.edited[join(dir, name)] = text
		resources = append(resources, name)
	}
	for _, field := range []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals"} {
		delete(fields, field)
	}
	fields["resources"] = resources
	if len(generators) > 0 {
		fields["generators"] = generators
	} else {
		delete(fields, "generators")
	}
	return yaml.Marshal(fields)
}

// chartGenerators reads an entry of "generators": the text of one or a file. It answers nothing for generators of other kinds.
func (f *kustomizeFS) chartGenerators(dir, name string) ([]chartGenerator, error) {
	text := []byte(name)
	if !strings.Contains(name, "\n") {
		p, err := clean(path.Join("/", dir, name))
		if err != nil || strings.Contains(name, "://") {
			return nil, nil
		}
		i, err := f.files.Stat(p)
		if err != nil || i.kind != regular {
			return nil, err
		}
		if text, _, err = f.files.Read(p); err != nil {
			return nil, err
		}
	}
	if !bytes.Contains(text, generatorMark) {
		return nil, nil
	}
	var found []chartGenerator
	reader := &kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true}
	nodes, err := reader.Read()
	if err != nil {
		return nil, nil
	}
	for _, node := range nodes {
		if node.GetKind() != string(generatorMark) || node.GetApiVersion() != "builtin" {
			return nil, nil
		}
		var c chartGenerator
		if err := yaml.Unmarshal([]byte(node.MustString()), &c); err != nil {
			return nil, inputError("", 0, "HelmChartInflationGenerator: %v", err)
		}
		found = append(found, c)
	}
	return found, nil
}

// inflateChart is Generate of api/internal/builtins/HelmChartInflationGenerator.go: the output of "helm template".
func (f *kustomizeFS) inflateChart(dir string, c *chartGenerator) ([]byte, error) {
	if c.Name == "" {
		return nil, errors.New("chart name cannot be empty")
	}
	if c.KubeVersion == "" {
		c.KubeVersion = f.helmKubeVersion
	}
	if len(c.ApiVersions) == 0 {
		c.ApiVersions = f.helmAPIVersions
	}
	at, packed, err := f.chartHome(dir, c)
	if err != nil {
		return nil, err
	}
	values, err := f.chartValues(dir, at, c)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: c.ReleaseName, Namespace: orElse(c.Namespace, "default"), Revision: 1, IsInstall: true}
	switch {
	case c.NameTemplate != "" && c.ReleaseName != "":
		return nil, errors.New("cannot set --name-template and also specify a name")
	case c.NameTemplate != "":
		if release.Name, err = templateName(c.NameTemplate); err != nil {
			return nil, err
		}
	case c.ReleaseName == "":
		release.Name = "release-name" // what "helm template --generate-name" says
	}
	if err := chartutil.ValidateReleaseName(release.Name); err != nil {
		return nil, fmt.Errorf("release name %q: %w", release.Name, err)
	}
	capabilities, err := capabilitiesOf(&helmRequest{KubeVersion: c.KubeVersion, APIVersions: c.ApiVersions})
	if err != nil {
		return nil, err
	}
	options := helmOptions{SkipCRDs: !c.IncludeCRDs, SkipTests: c.SkipTests, SkipHooks: c.SkipHooks}
	out, err := templateChart(f.files, at, packed, release, capabilities, values, &options)
	if err != nil {
		return nil, err
	}
	return markedAsChart(out)
}

// chartHome finds the chart: in the repository, as an earlier "helm pull" left it, or among what was fetched.
func (f *kustomizeFS) chartHome(dir string, c *chartGenerator) (string, bool, error) {
	home := orElse(c.ChartHome, types.HelmDefaultHome)
	if c.Version != "" && c.Repo != "" {
		home = path.Join(home, c.Name+"-"+c.Version)
	}
	local, err := f.isBelow(dir, path.Join(home, c.Name))
	if err != nil {
		return "", false, err
	}
	i, err := f.files.Stat(local)
	if err != nil {
		return "", false, err
	}
	if i.kind == directory {
		return local, false, nil
	}
	if c.Repo == "" {
		return "", false, fmt.Errorf("no repo specified for pull, no chart found at '%s'", local)
	}
	index, err := f.elsewhere()
	if err != nil {
		return "", false, err
	}
	mounted, ok := index.Charts[strings.Join([]string{strings.TrimRight(c.Repo, "/"), c.Name, c.Version}, "\n")]
	if !ok {
		return "", false, unsupportedError("", "the chart %s %s of %s was not fetched", c.Name, c.Version, c.Repo)
	}
	return mounted, true, nil
}

// chartValues merges as the generator does: the values file (the chart's own by default) with the inline values, then the additional files.
func (f *kustomizeFS) chartValues(dir, at string, c *chartGenerator) (map[string]any, error) {
	own := join(at, "values.yaml")
	if c.ValuesFile != "" {
		var err error
		if own, err = f.isBelow(dir, c.ValuesFile); err != nil {
			return nil, err
		}
	}
	text, ok, err := f.files.Read(own)
	if err != nil {
		return nil, err
	}
	if !ok && c.ValuesFile != "" {
		return nil, fmt.Errorf("valuesFile %s: no such file", c.ValuesFile)
	}
	if len(c.ValuesInline) > 0 {
		if text, err = mergedValues(text, c); err != nil {
			return nil, err
		}
	}
	values, err := loader.LoadValues(bytes.NewReader(text))
	if err != nil {
		return nil, valuesError(own, "failed to parse %s: %s", own, err)
	}
	for _, name := range c.AdditionalValuesFiles {
		p, err := f.isBelow(dir, name)
		if err != nil {
			return nil, fmt.Errorf("could not load additionalValuesFile: %w", err)
		}
		text, ok, err := f.files.Read(p)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("could not load additionalValuesFile: %s: no such file", name)
		}
		more, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			return nil, valuesError(p, "failed to parse %s: %s", p, err)
		}
		values = loader.MergeMaps(values, more)
	}
	return values, nil
}

func mergedValues(text []byte, c *chartGenerator) ([]byte, error) {
	merged := c.ValuesInline
	switch c.ValuesMerge {
	case "", "merge", "override":
		own, err := kyaml.Parse(string(text))
		if errors.Is(err, io.EOF) { // an empty file
			own, err = kyaml.Parse("{}")
		}
		if err != nil {
			return nil, fmt.Errorf("could not parse values file into rnode: %w", err)
		}
		inline, err := kyaml.FromMap(c.ValuesInline)
		if err != nil {
			return nil, fmt.Errorf("could not parse values inline into rnode: %w", err)
		}
		src, dest := inline, own
		if c.ValuesMerge == "merge" {
			src, dest = own, inline
		}
		out, err := merge2.Merge(src, dest, kyaml.MergeOptions{})
		if err != nil {
			return nil, fmt.Errorf("could not merge values: %w", err)
		}
		if merged, err = out.Map(); err != nil {
			return nil, fmt.Errorf("could not parse merged values into map: %w", err)
		}
	case "replace":
	default:
		return nil, errors.New("valuesMerge must be one of [merge override replace]")
	}
	return yaml.Marshal(merged)
}

func templateName(text string) (string, error) {
	functions := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv"} {
		delete(functions, name)
	}
	t, err := template.New("name-template").Funcs(functions).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, nil)
	return out.String(), err
}

// markedAsChart is the text of the objects with the mark by which Kustomize knows what came out of a chart.
func markedAsChart(pieces []chartPiece) ([]byte, error) {
	var text bytes.Buffer
	for _, piece := range pieces {
		fmt.Fprintf(&text, "---\n%s\n", piece.text)
	}
	reader := &kio.ByteReader{Reader: &text, OmitReaderAnnotations: true}
	nodes, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("error reading helm output: %w", err)
	}
	var out bytes.Buffer
	for _, node := range nodes {
		if err := node.PipeE(kyaml.SetAnnotation(konfig.HelmGeneratedAnnotation, "true")); err != nil {
			return nil, fmt.Errorf("failed to set helm annotation: %w", err)
		}
		printed, err := node.String()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "---\n%s", printed)
	}
	return out.Bytes(), nil
}
