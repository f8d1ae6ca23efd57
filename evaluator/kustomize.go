package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kustomize/v5/commands/edit"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

type kustomizeOptions struct {
	NamePrefix string   `json:"name_prefix"`
	NameSuffix string   `json:"name_suffix"`
	Namespace  string   `json:"namespace"`
	Images     []string `json:"images"`
	Replicas   []struct {
		Name  string          `json:"name"`
		Count json.RawMessage `json:"count"` // a number, or a string that holds one
	} `json:"replicas"`
	CommonLabels              map[string]string `json:"common_labels"`
	CommonAnnotations         map[string]string `json:"common_annotations"`
	CommonAnnotationsEnvsubst bool              `json:"common_annotations_envsubst"`
	ForceCommonLabels         bool              `json:"force_common_labels"`
	ForceCommonAnnotations    bool              `json:"force_common_annotations"`
	LabelWithoutSelector      bool              `json:"label_without_selector"`
	LabelIncludeTemplates     bool              `json:"label_include_templates"`
	Patches                   []json.RawMessage `json:"patches"`
	Components                []string          `json:"components"`
	IgnoreMissingComponents   bool              `json:"ignore_missing_components"`
	KubeVersion               string            `json:"kube_version"`
	APIVersions               []string          `json:"api_versions"`
}

// errNoNetwork is what every attempt to reach a network ends in.
var errNoNetwork = errors.New("network access is refused")

type refusingTransport struct{}

func (refusingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoNetwork }

func init() {
	evaluators["kustomize"] = renderKustomize
	// A jail of its own, should the process not run in one: no program can be found (Kustomize clones with git), no URL be fetched.
	os.Clearenv()
	http.DefaultTransport = refusingTransport{}
	http.DefaultClient.Transport = refusingTransport{}
	log.SetOutput(io.Discard)
}

// renderKustomize is "kustomize build", after the edits that Argo CD makes with "kustomize edit" for the fields of source.kustomize.
func renderKustomize(_ context.Context, raw json.RawMessage, files *vfs) (any, error) {
	var request struct {
		Path         string            `json:"path"`
		Options      kustomizeOptions  `json:"options"`
		BuildOptions []string          `json:"buildOptions"`
		Env          map[string]string `json:"env"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	dir, err := clean(request.Path)
	if err != nil {
		return nil, err
	}
	options, err := buildOptions(request.BuildOptions)
	if err != nil {
		return nil, err
	}
	fsys := &kustomizeFS{
		files: files, cwd: dir, edited: map[string][]byte{}, aliases: map[string]string{}, shown: map[string]string{},
		restricted: options.LoadRestrictions == types.LoadRestrictionsRootOnly,
		withHelm:   options.PluginConfig.HelmConfig.Enabled,
		// Argo CD puts its own flags behind those of the settings.
		helmKubeVersion: orElse(request.Options.KubeVersion, options.PluginConfig.HelmConfig.KubeVersion),
		helmAPIVersions: slices.Concat(options.PluginConfig.HelmConfig.ApiVersions, request.Options.APIVersions),
	}
	fsys.foresee(dir)
	if err := editKustomization(fsys, &request.Options, request.Env); err != nil {
		return nil, explainKustomize(fsys, err)
	}
	fsys.building = true
	result, err := krusty.MakeKustomizer(options).Run(fsys, path.Join(mount, dir))
	if openapi.GetSchemaVersion() != defaultSchema {
		// A schema of the kustomization's own is global in the library; the next render must not see it.
		openapi.ResetOpenAPI()
	}
	if err != nil {
		return nil, explainKustomize(fsys, err)
	}
	return kustomizeObjects(fsys, result)
}

var defaultSchema = openapi.GetSchemaVersion()

func kustomizeObjects(fsys *kustomizeFS, result resmap.ResMap) (any, error) {
	file := fsys.kustomization()
	objects := make([]object, 0, result.Size())
	for _, resource := range result.Resources() {
		raw, err := resource.MarshalJSON()
		if err != nil {
			return nil, inputError(file, 0, "%s: %v", resource.CurId(), err)
		}
		found, failed := appendObject(objects, fsys.origins(raw), file, 0)
		if failed != nil {
			return nil, failed.failure
		}
		objects = found
	}
	return rendered{objects}, nil
}

// buildOptions reads the options of "kustomize build". Those that let programs run are read and change nothing: only a
// kustomization that would need them is refused, so that they can stand in a setting for all apps.
func buildOptions(args []string) (*krusty.Options, error) {
	flags := pflag.NewFlagSet("kustomize build", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	restrictor := flags.String("load-restrictor", types.LoadRestrictionsRootOnly.String(), "")
	reorder := flags.String("reorder", string(krusty.ReorderOptionLegacy), "")
	managedBy := flags.Bool("enable-managedby-label", false, "")
	withHelm := flags.Bool("enable-helm", false, "")
	kubeVersion := flags.String("helm-kube-version", "", "")
	apiVersions := flags.StringArray("helm-api-versions", nil, "")
	for _, name := range []string{"helm-debug", "enable-alpha-plugins", "enable-exec", "network", "as-current-user"} {
		flags.Bool(name, false, "")
	}
	for _, name := range []string{"helm-command", "network-name"} {
		flags.String(name, "", "")
	}
	flags.StringArray("mount", nil, "")
	flags.StringArrayP("env", "e", nil, "")
	if err := flags.Parse(args); err != nil {
		return nil, inputError("", 0, "kustomize build options: %v", err)
	}
	if flags.NArg() > 0 {
		return nil, inputError("", 0, "kustomize build options: %q is not an option", flags.Arg(0))
	}
	options := krusty.MakeDefaultOptions()
	options.AddManagedbyLabel = *managedBy
	options.PluginConfig.HelmConfig.Enabled = *withHelm
	options.PluginConfig.HelmConfig.KubeVersion = *kubeVersion
	options.PluginConfig.HelmConfig.ApiVersions = *apiVersions
	switch *restrictor {
	case types.LoadRestrictionsNone.String(), "none":
		options.LoadRestrictions = types.LoadRestrictionsNone
	case types.LoadRestrictionsRootOnly.String(), "":
	default:
		return nil, inputError("", 0, "kustomize build options: illegal flag value --load-restrictor %s", *restrictor)
	}
	options.Reorder = krusty.ReorderOptionUnspecified
	if flags.Changed("reorder") {
		options.Reorder = krusty.ReorderOption(*reorder)
		if options.Reorder != krusty.ReorderOptionLegacy && options.Reorder != krusty.ReorderOptionNone {
			return nil, inputError("", 0, "kustomize build options: illegal flag value --reorder %s", *reorder)
		}
	}
	return options, nil
}

// editKustomization makes the edits of source.kustomize with the commands that Argo CD runs, in its order.
func editKustomization(fsys *kustomizeFS, o *kustomizeOptions, env map[string]string) error {
	var commands [][]string
	add := func(args ...string) { commands = append(commands, args) }
	if o.NamePrefix != "" {
		add("set", "nameprefix", "--", o.NamePrefix)
	}
	if o.NameSuffix != "" {
		add("set", "namesuffix", "--", o.NameSuffix)
	}
	if len(o.Images) > 0 {
		args := []string{"set", "image"}
		for _, image := range o.Images {
			args = append(args, substitute(image, env))
		}
		add(args...)
	}
	if len(o.Replicas) > 0 {
		args := []string{"set", "replicas"}
		for _, r := range o.Replicas {
			args = append(args, r.Name+"="+strings.Trim(string(r.Count), `"`))
		}
		add(args...)
	}
	if len(o.CommonLabels) > 0 {
		args := []string{"add", "label"}
		args = appendIf(args, o.ForceCommonLabels, "--force")
		args = appendIf(args, o.LabelWithoutSelector, "--without-selector")
		args = appendIf(args, o.LabelIncludeTemplates, "--include-templates")
		add(appendPairs(args, o.CommonLabels, func(v string) string { return substitute(v, env) })...)
	}
	if len(o.CommonAnnotations) > 0 {
		args := appendIf([]string{"add", "annotation"}, o.ForceCommonAnnotations, "--force")
		add(appendPairs(args, o.CommonAnnotations, func(v string) string {
			if o.CommonAnnotationsEnvsubst {
				return substitute(v, env)
			}
			return v
		})...)
	}
	if o.Namespace != "" {
		add("set", "namespace", "--", o.Namespace)
	}
	if components, err := presentComponents(fsys, o); err != nil {
		return err
	} else if len(components) > 0 {
		add(append([]string{"add", "component"}, components...)...)
	}
	if len(commands) > 0 {
		deps := provider.NewDepProvider()
		for _, args := range commands {
			// A command keeps its arguments, so each needs one of its own.
			command := edit.NewCmdEdit(fsys, deps.GetFieldValidator(), deps.GetResourceFactory(), io.Discard)
			command.SetArgs(args)
			command.SetOut(io.Discard)
			command.SetErr(io.Discard)
			command.SilenceErrors, command.SilenceUsage = true, true
			if err := command.Execute(); err != nil {
				return fmt.Errorf("kustomize edit %s %s: %w", args[0], args[1], err)
			}
		}
	}
	if len(o.Patches) > 0 {
		return appendPatches(fsys, o.Patches)
	}
	return nil
}

func appendIf(args []string, condition bool, arg string) []string {
	if condition {
		return append(args, arg)
	}
	return args
}

func appendPairs(args []string, pairs map[string]string, value func(string) string) []string {
	for name, v := range pairs {
		args = append(args, name+":"+value(v))
	}
	slices.Sort(args[2:])
	return args
}

// substitute is Argo CD's replacement of ${NAME} and $NAME; "$$" stands for "$".
func substitute(text string, env map[string]string) string {
	return os.Expand(text, func(name string) string {
		if name == "$" {
			return "$"
		}
		return env[name]
	})
}

func presentComponents(fsys *kustomizeFS, o *kustomizeOptions) ([]string, error) {
	if !o.IgnoreMissingComponents {
		return fsys.localComponents(o.Components)
	}
	var found []string
	for _, component := range o.Components {
		_, i, err := fsys.stat(component)
		if err != nil {
			return nil, err
		}
		if i.kind != missing {
			found = append(found, component)
		}
	}
	return found, nil
}

// appendPatches puts the patches at the end of the kustomization's own.
func appendPatches(fsys *kustomizeFS, patches []json.RawMessage) error {
	file := fsys.kustomization()
	data, err := fsys.ReadFile(path.Join(mount, file))
	if err != nil {
		return errors.New("unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' to add patches to")
	}
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil {
		return inputError(file, 0, "%s: %v", path.Base(file), err)
	}
	if k == nil {
		k = map[string]any{}
	}
	own, _ := k["patches"].([]any)
	for _, raw := range patches {
		var patch map[string]any
		if err := json.Unmarshal(raw, &patch); err != nil {
			return err
		}
		for field, value := range patch {
			if value == nil || value == "" {
				delete(patch, field)
			}
		}
		own = append(own, patch)
	}
	k["patches"] = own
	if data, err = yaml.Marshal(k); err != nil {
		return err
	}
	return fsys.WriteFile(path.Join(mount, file), data)
}

// kustomization is the path of the file that the render starts from.
func (f *kustomizeFS) kustomization() string {
	for _, p := range kustomizationsIn(f.cwd) {
		if f.Exists(path.Join(mount, p)) {
			return p
		}
	}
	return join(f.cwd, "kustomization.yaml")
}

var lineNumber = regexp.MustCompile(`\bline (\d+)\b`)

// explainKustomize finds the file and line that an error is about, and tells what is refused here from what is wrong. What is mounted has the
// name by which the kustomization knows it.
func explainKustomize(fsys *kustomizeFS, err error) error {
	err = causeOf(fsys, err)
	var own *failure
	if !errors.As(err, &own) {
		return err
	}
	f := *own
	f.Message, f.File = fsys.named(f.Message), fsys.named(f.File)
	return &f
}

func causeOf(fsys *kustomizeFS, err error) error {
	if refused := fsys.files.refuse; refused != nil {
		f := *asFailure(refused)
		f.Message = strings.ReplaceAll(f.Message, mount+"/", "")
		if f.File == "" || f.Kind == kindInput {
			f.File = fsys.lastKustomization()
			f.Message = fmt.Sprintf("%s (needed by %s)", f.Message, f.File)
		}
		return &f
	}
	var own *failure
	if errors.As(err, &own) {
		return own
	}
	message := err.Error()
	if url := fsys.remoteReference(message); url != "" {
		file := fsys.lastKustomization()
		return unsupportedError(file, "%s: %q lies elsewhere and was not fetched", file, url)
	}
	for _, refused := range []struct{ sign, what string }{
		{"must specify --enable-helm", "charts need --enable-helm in `kustomize.buildOptions` of argocd-cm"},
		{"external plugins disabled", "Kustomize plugins and functions are programs of somebody else's, which are not run"},
		{"unable to load external plugin", "Kustomize plugins and functions are programs of somebody else's, which are not run"},
	} {
		if strings.Contains(message, refused.sign) {
			return unsupportedError(fsys.lastKustomization(), "%s: %s (%s)", fsys.lastKustomization(), refused.what, message)
		}
	}
	file, line := fsys.culprit(message), 0
	if match := lineNumber.FindAllStringSubmatch(message, -1); match != nil {
		line, _ = strconv.Atoi(match[len(match)-1][1])
	}
	message = strings.ReplaceAll(strings.ReplaceAll(message, mount+"/", ""), mount, ".")
	return inputError(file, line, "%s", strings.TrimSpace(message))
}

// culprit is the file that was read last of those that the message names.
func (f *kustomizeFS) culprit(message string) string {
	for _, p := range slices.Backward(f.read) {
		if strings.Contains(message, path.Base(p)) && !isKustomization(path.Base(p)) {
			return p
		}
	}
	return f.lastKustomization()
}

// lastKustomization is the kustomization file that was read last: Kustomize works depth first, so it is the one in hand.
func (f *kustomizeFS) lastKustomization() string {
	for _, p := range slices.Backward(f.read) {
		if data, ok := f.files.reads[p]; ok && data != nil && isKustomization(path.Base(p)) {
			return p
		}
	}
	return f.kustomization()
}

var looksRemote = regexp.MustCompile(`://|^[\w.-]+@|^git::|^(?:[\w-]+\.)+[a-z]+[:/]`)

// remoteReference finds what a kustomization names in another repository or on a server, when that is why a render failed.
func (f *kustomizeFS) remoteReference(message string) string {
	if !strings.Contains(message, errNoNetwork.Error()) && !strings.Contains(message, "no 'git' program on path") {
		return ""
	}
	suspect := "a remote resource"
	for _, p := range f.read {
		var k references
		if !isKustomization(path.Base(p)) || yaml.Unmarshal(f.files.reads[p], &k) != nil {
			continue
		}
		for _, name := range k.all() {
			if !looksRemote.MatchString(name) {
				continue
			}
			// Kustomize names some in its errors and others not.
			if suspect = name; strings.Contains(message, name) {
				return name
			}
		}
	}
	return suspect
}
