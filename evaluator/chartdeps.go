package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

func init() { evaluators["chart-dependencies"] = chartDependencies }

// packedCharts is the folder below which the asking side mounts the dependencies that a chart does not bring along itself.
const packedCharts = ".homeostat/charts"

// missingDependency is what has to be fetched. Version is what the lock says, else the range of Chart.yaml; Mount is where it is looked for.
type missingDependency struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
	Mount      string `json:"mount"`
}

type dependencyAnswer struct {
	Missing []missingDependency `json:"missing"`
	Problem string              `json:"problem,omitempty"`
}

// chartDependencies says what "helm dependency build" would fetch for the chart at path. repositories are the addresses behind @name.
func chartDependencies(_ context.Context, raw json.RawMessage, files *vfs) (any, error) {
	var request struct {
		Path         string            `json:"path"`
		Repositories map[string]string `json:"repositories"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	dir, err := clean(request.Path)
	if err != nil {
		return nil, err
	}
	c, err := loadChart(files, dir)
	if err != nil {
		return nil, err
	}
	answer := dependencyAnswer{Missing: []missingDependency{}}
	absent := absentDependencies(c)
	if len(absent) == 0 {
		return answer, nil
	}
	asWritten := hashOf(map[string][]*chart.Dependency{"dependencies": c.Metadata.Dependencies})
	mounts := make(map[*chart.Dependency]string, len(absent))
	for _, d := range absent {
		mounts[d] = mountOf(d)
	}
	for _, d := range c.Metadata.Dependencies {
		name, aliased := repositoryName(d.Repository)
		if !aliased {
			continue
		}
		url, known := request.Repositories[name]
		if !known {
			answer.Problem = fmt.Sprintf("no repository definition for %s: no Helm repository named %q is configured", d.Repository, name)
			return answer, nil
		}
		d.Repository = url
	}
	if answer.Problem = outOfSync(c, asWritten); answer.Problem != "" {
		return answer, nil
	}
	for _, d := range absent {
		if _, local := localPath(d); local || d.Repository == "" {
			continue
		}
		answer.Missing = append(answer.Missing, missingDependency{d.Name, lockedVersion(c, d), d.Repository, mounts[d]})
	}
	return answer, nil
}

func absentDependencies(c *chart.Chart) []*chart.Dependency {
	var absent []*chart.Dependency
	for _, d := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(sub *chart.Chart) bool { return sub.Name() == d.Name }) {
			absent = append(absent, d)
		}
	}
	return absent
}

// outOfSync compares a lock with the dependencies as "helm dependency build" does; no lock is no problem.
func outOfSync(c *chart.Chart, asWritten string) string {
	if c.Lock == nil || c.Lock.Digest == hashOf([2][]*chart.Dependency{c.Metadata.Dependencies, c.Lock.Dependencies}) {
		return ""
	}
	if c.Metadata.APIVersion == chart.APIVersionV1 {
		if c.Lock.Digest == asWritten { // how Helm 2 did it
			return ""
		}
		return "the lock file (requirements.lock) is out of sync with the dependencies file (requirements.yaml). Please update the dependencies"
	}
	return "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). Please update the dependencies"
}

func hashOf(what any) string {
	data, err := json.Marshal(what)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// lockedVersion is the version of the entry of the lock for d: that of the same place in the list, which has the same name.
func lockedVersion(c *chart.Chart, d *chart.Dependency) string {
	if c.Lock == nil {
		return d.Version
	}
	if i := slices.Index(c.Metadata.Dependencies, d); i < len(c.Lock.Dependencies) && c.Lock.Dependencies[i].Name == d.Name {
		return c.Lock.Dependencies[i].Version
	}
	for _, locked := range c.Lock.Dependencies {
		if locked.Name == d.Name {
			return locked.Version
		}
	}
	return d.Version
}

func repositoryName(repository string) (string, bool) {
	if name, ok := strings.CutPrefix(repository, "@"); ok {
		return name, true
	}
	return strings.CutPrefix(repository, "alias:")
}

func localPath(d *chart.Dependency) (string, bool) { return strings.CutPrefix(d.Repository, "file://") }

// mountOf is where d is looked for: by what Chart.yaml says of it, so that two charts which say the same share it.
func mountOf(d *chart.Dependency) string {
	return packedCharts + "/" + strings.TrimPrefix(hashOf([]string{d.Name, d.Version, d.Repository}), "sha256:")[:24]
}

// attachDependencies gives a chart the dependencies that are not in its charts/ folder: those of the same repository, and what is mounted.
func attachDependencies(files *vfs, c *chart.Chart, dir string) error {
	for _, d := range absentDependencies(c) {
		rel, local := localPath(d)
		if local {
			sub, err := localDependency(files, dir, rel, d, lockedVersion(c, d))
			if err != nil {
				return err
			}
			c.AddDependency(sub)
			continue
		}
		mount := mountOf(d)
		if at, err := files.Stat(mount); err != nil || at.kind != directory {
			continue
		}
		sub, err := loadChartOf(files, mount, true)
		if err != nil {
			return err
		}
		c.AddDependency(sub)
	}
	return nil
}

func localDependency(files *vfs, dir, rel string, d *chart.Dependency, wanted string) (*chart.Chart, error) {
	file := join(dir, chartFile)
	if path.IsAbs(rel) {
		return nil, inputError(file, 0, "dependency %s: %s is not in the repository: write the path relative to the chart", d.Name, d.Repository)
	}
	at, err := clean(path.Join(dir, rel))
	if err != nil {
		return nil, inputError(file, 0, "dependency %s: %s leaves the repository", d.Name, d.Repository)
	}
	sub, err := loadChart(files, at)
	if err != nil {
		return nil, err
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return nil, inputError(file, 0, "dependency %s has an invalid version/constraint format: %v", d.Name, err)
	}
	version, err := semver.NewVersion(sub.Metadata.Version)
	if err != nil || !constraint.Check(version) {
		return nil, inputError(file, 0, "can't get a valid version for dependency %s: %s has version %s, and %s is asked for",
			d.Name, join(at, chartFile), sub.Metadata.Version, wanted)
	}
	return sub, nil
}
