package main

import (
	"context"
	"encoding/json"

	"go.yaml.in/yaml/v2"
)

func init() { evaluators["helm-index"] = readHelmIndex }

// helmIndex is what is needed of a Helm repository's index.yaml, which may have tens of megabytes.
type helmIndex struct {
	APIVersion string                        `yaml:"apiVersion" json:"-"`
	Entries    map[string][]helmIndexVersion `yaml:"entries" json:"entries"`
}

type helmIndexVersion struct {
	Version string   `yaml:"version" json:"version"`
	URLs    []string `yaml:"urls" json:"urls"`
	Digest  string   `yaml:"digest" json:"digest,omitempty"`
}

// readHelmIndex reads an index. Versions without a version or an address are no charts that anybody could have.
func readHelmIndex(_ context.Context, raw json.RawMessage, _ *vfs) (any, error) {
	var request struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	var index helmIndex
	if err := yaml.Unmarshal([]byte(request.Text), &index); err != nil {
		return nil, inputError("index.yaml", 0, "%v", err)
	}
	if index.APIVersion == "" {
		return nil, inputError("index.yaml", 0, "no API version specified")
	}
	for name, versions := range index.Entries {
		kept := versions[:0]
		for _, v := range versions {
			if v.Version != "" && len(v.URLs) > 0 {
				kept = append(kept, v)
			}
		}
		index.Entries[name] = kept
	}
	return index, nil
}
