package main

import (
	"context"
	"encoding/json"
	"regexp"

	"github.com/Masterminds/semver/v3"
)

func init() { evaluators["semver"] = highestVersion }

// highestVersion answers the highest version that satisfies a constraint, as it was written. What is no version does not count, and a
// pre-release only where the constraint names one. With a filter, only what it matches counts (Flux's semverFilter).
func highestVersion(_ context.Context, raw json.RawMessage, _ *vfs) (any, error) {
	var request struct {
		Constraint string   `json:"constraint"`
		Versions   []string `json:"versions"`
		Filter     string   `json:"filter"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	constraint, err := semver.NewConstraint(request.Constraint)
	if err != nil {
		return nil, inputError("", 0, "failed to determine semver constraint %q: %v", request.Constraint, err)
	}
	filter, err := regexp.Compile(request.Filter)
	if err != nil {
		return nil, inputError("", 0, "the filter of versions %q is no regular expression: %v", request.Filter, err)
	}
	var highest *semver.Version
	for _, text := range request.Versions {
		if !filter.MatchString(text) {
			continue
		}
		version, err := semver.NewVersion(text)
		if err != nil || !constraint.Check(version) {
			continue
		}
		if highest == nil || version.GreaterThan(highest) {
			highest = version
		}
	}
	if highest == nil {
		return nil, nil
	}
	return highest.Original(), nil
}
