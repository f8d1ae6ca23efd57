package main

import (
	"context"
	"encoding/json"

	"github.com/Masterminds/semver/v3"
)

func init() { evaluators["semver"] = highestVersion }

// highestVersion answers the highest version that satisfies a constraint, as it was written. What is no version does not count, and a
// pre-release only where the constraint names one.
func highestVersion(_ context.Context, raw json.RawMessage, _ *vfs) (any, error) {
	var request struct {
		Constraint string   `json:"constraint"`
		Versions   []string `json:"versions"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	constraint, err := semver.NewConstraint(request.Constraint)
	if err != nil {
		return nil, inputError("", 0, "failed to determine semver constraint %q: %v", request.Constraint, err)
	}
	var highest *semver.Version
	for _, text := range request.Versions {
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
