package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	_ "time/tzdata" // templates know time zones, and there is no disk to read them from
)

type helmOptions struct {
	ReleaseName             string          `json:"release_name"`
	Namespace               string          `json:"namespace"`
	ValueFiles              []string        `json:"value_files"`
	IgnoreMissingValueFiles bool            `json:"ignore_missing_value_files"`
	Values                  string          `json:"values"`
	ValuesObject            json.RawMessage `json:"values_object"`
	Parameters              []struct {
		Name        string `json:"name"`
		Value       string `json:"value"`
		ForceString bool   `json:"force_string"`
	} `json:"parameters"`
	FileParameters []struct {
		Name string `json:"name"`
		Path string `json:"path"`
	} `json:"file_parameters"`
	SkipCRDs             bool     `json:"skip_crds"`
	SkipTests            bool     `json:"skip_tests"`
	SkipSchemaValidation bool     `json:"skip_schema_validation"`
	SkipHooks            bool     `json:"-"` // only Kustomize can ask for it
	KubeVersion          string   `json:"kube_version"`
	APIVersions          []string `json:"api_versions"`
}

type helmRequest struct {
	Path        string            `json:"path"`
	Options     helmOptions       `json:"options"`
	ReleaseName string            `json:"releaseName"`
	Namespace   string            `json:"namespace"`
	KubeVersion string            `json:"kubeVersion"`
	APIVersions []string          `json:"apiVersions"`
	Env         map[string]string `json:"env"`
	Refs        []string          `json:"refs"`
}

func init() {
	evaluators["helm"] = renderHelm
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// renderHelm is "helm template": what it prints, in its order, as objects.
func renderHelm(_ context.Context, raw json.RawMessage, files *vfs) (any, error) {
	var request helmRequest
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	dir, err := clean(request.Path)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{
		Name:      orElse(request.Options.ReleaseName, request.ReleaseName),
		Namespace: orElse(request.Options.Namespace, request.Namespace),
		Revision:  1,
		IsInstall: true,
	}
	if err := chartutil.ValidateReleaseName(options.Name); err != nil {
		return nil, inputError("", 0, "release name %q: %v", options.Name, err)
	}
	capabilities, err := capabilitiesOf(&request)
	if err != nil {
		return nil, err
	}
	values, err := helmValues(files, dir, &request)
	if err != nil {
		return nil, err
	}
	pieces, err := templateChart(files, dir, false, options, capabilities, values, &request.Options)
	if err != nil {
		return nil, err
	}
	return chartObjects(pieces)
}

// templateChart renders the chart at dir; packed says that it comes from an archive.
func templateChart(files *vfs, dir string, packed bool, release common.ReleaseOptions, capabilities *common.Capabilities,
	values map[string]any, options *helmOptions) ([]chartPiece, error) {
	loaded, err := loadChartOf(files, dir, packed)
	if err != nil {
		return nil, err
	}
	if err := attachDependencies(files, loaded, dir); err != nil {
		return nil, err
	}
	if err := installable(loaded, dir, capabilities); err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, chartError(dir, fmt.Errorf("chart dependencies processing failed: %w", err))
	}
	// The schema is checked below, by a validator that loads nothing from elsewhere.
	top, err := util.ToRenderValuesWithSchemaValidation(loaded, values, release, capabilities, true)
	if err != nil {
		return nil, chartError(dir, err)
	}
	if !options.SkipSchemaValidation {
		if err := validateValues(loaded, dir, top["Values"]); err != nil {
			return nil, err
		}
	}
	return renderTemplates(loaded, dir, top, options)
}

func orElse(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

func capabilitiesOf(request *helmRequest) (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	if version := orElse(request.Options.KubeVersion, request.KubeVersion); version != "" {
		parsed, err := common.ParseKubeVersion(version)
		if err != nil {
			return nil, inputError("", 0, "invalid kube version '%s': %v", version, err)
		}
		capabilities.KubeVersion = *parsed
	}
	extra := request.Options.APIVersions
	if len(extra) == 0 {
		extra = request.APIVersions
	}
	capabilities.APIVersions = slices.Concat(capabilities.APIVersions, extra)
	return capabilities, nil
}

func installable(c *chart.Chart, dir string, capabilities *common.Capabilities) error {
	file := join(dir, chartFile)
	if c.Metadata.Type != "" && c.Metadata.Type != "application" {
		return inputError(file, 0, "%s charts are not installable", c.Metadata.Type)
	}
	if absent := absentDependencies(c); len(absent) > 0 {
		names := make([]string, len(absent))
		remote := false
		for i, d := range absent {
			names[i] = d.Name
			remote = remote || d.Repository != ""
		}
		listed := strings.Join(names, ", ")
		if remote { // whoever can fetch has mounted them
			return unsupportedError(file, "found in Chart.yaml, but missing in charts/ directory: %s; nothing is fetched here: "+
				"run 'helm dependency build'", listed)
		}
		return inputError(file, 0, "found in Chart.yaml, but missing in charts/ directory: %s", listed)
	}
	wanted := c.Metadata.KubeVersion
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return inputError(file, 0, "chart requires kubeVersion: %s which is incompatible with Kubernetes %s", wanted, capabilities.KubeVersion.Version)
	}
	return nil
}

// renderTemplates orders objects as "helm template" prints them: CRDs, manifests by kind, hooks by kind and weight.
func renderTemplates(c *chart.Chart, dir string, values common.Values, options *helmOptions) ([]chartPiece, error) {
	var e engine.Engine
	templates, err := e.Render(c, values)
	if err != nil {
		return nil, chartError(dir, err)
	}
	for name := range templates {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(templates, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(templates, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, chartError(dir, err)
	}
	var pieces []chartPiece
	if !options.SkipCRDs {
		for _, crd := range c.CRDObjects() {
			pieces = append(pieces, chartPiece{chartPath(dir, crd.Filename), string(crd.File.Data), 1})
		}
	}
	for _, m := range manifests {
		pieces = append(pieces, chartPiece{chartPath(dir, m.Name), m.Content, lineOf(templates[m.Name], m.Content)})
	}
	for _, h := range hooks {
		if options.SkipHooks || options.SkipTests && slices.Contains(h.Events, release.HookTest) {
			continue
		}
		pieces = append(pieces, chartPiece{chartPath(dir, h.Path), h.Manifest, lineOf(templates[h.Path], h.Manifest)})
	}
	return pieces, nil
}

// chartPiece is what a file of a chart came to. line is where text begins in the output of its template.
type chartPiece struct {
	file, text string
	line       int
}

func chartObjects(pieces []chartPiece) (any, error) {
	objects := []object{}
	for _, piece := range pieces {
		// Helm prints a line break after each document: it is part of a block that the document ends with.
		found, err := readObjects([]byte(piece.text+"\n"), piece.file)
		if err != nil {
			if err.Line > 0 {
				err.Line += piece.line - 1
			}
			err.Message = fmt.Sprintf("%s: %s", path.Base(piece.file), err.Message)
			return nil, err.failure
		}
		for i := range found {
			found[i].Line += piece.line - 1
		}
		objects = append(objects, found...)
	}
	return rendered{objects}, nil
}

// lineOf finds a document in what its template rendered to.
func lineOf(output, text string) int {
	before, _, found := strings.Cut(output, text)
	if !found {
		return 1
	}
	return 1 + strings.Count(before, "\n")
}
