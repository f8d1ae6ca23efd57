// Command box is a whole Kubernetes control plane in one program: it runs the component that its first argument names, or, when it is
// called by a component's name through a link, that one. It holds no logic of its own; `homeostat box` decides what runs and how.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

var components = map[string]func() int{
	"etcd":                    func() int { etcdmain.Main(os.Args); return 0 },
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(controllers.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kwok":                    runKwok,
	"kubectl":                 func() int { return cli.Run(kubectl.NewDefaultKubectlCommand()) },
}

func runKwok() int {
	// Kubernetes registers a non-boolean --version on the global flag set, which cobra would merge into KWOK's command.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ExitOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err == nil {
		command := kwok.NewCommand(ctx)
		command.PersistentFlags().AddFlagSet(flags)
		err = command.ExecuteContext(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// hangOnTo ends this process when the last writer of the named pipe at path is gone: a test run that is killed, with no chance to clean up,
// leaves no component behind. Opened without blocking, because the writer may be gone already.
func hangOnTo(path string) {
	pipe, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		_, err = io.Copy(io.Discard, pipe)
	}
	fmt.Fprintln(os.Stderr, "the process at the other end of", path, "is gone:", err)
	os.Exit(1)
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := components[name]
	if !ok && len(os.Args) > 1 {
		name = os.Args[1]
		run, ok = components[name]
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: box etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kwok|kubectl [FLAGS]")
		os.Exit(2)
	}
	if path := os.Getenv("HOMEOSTAT_LIFELINE"); path != "" && name != "kubectl" {
		go hangOnTo(path)
	}
	os.Exit(run())
}
