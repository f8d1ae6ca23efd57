"""`app why`: what Git wants and whose line it is, what is live and who wrote it, which rule and which sync it came by."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.stage import Stage
from tests.commands import homeostat
from tests.e2e.texts import config

WEB = """# The web of the shop.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: "registry.example/web:1"
          resources: {requests: {cpu: 1000m}}
"""


def why(stage: Stage, name: str, *arguments: str) -> Any:
    return json.loads(stage.app("why", name, *arguments, "-o", "json").stdout)


@pytest.fixture(scope="module")
def shop(stage: Stage) -> str:
    """An app that was synced once, whose image was then changed by another commit and synced again, and which drifted since."""
    stage.write(why__web=WEB, why__one=config("one", size="1", shape="1"))
    stage.repository.git("config", "user.name", "unused")
    first = stage.push()
    stage.create("why", path="why")
    stage.app("sync", "why")
    stage.write(why__web=WEB.replace("web:1", "web:2"))
    second = stage.push()
    stage.app("sync", "why")
    namespace = stage.namespace("why")
    edit = ("--type=merge", '-p={"spec":{"replicas":4}}', "--field-manager=kubectl-edit")
    stage.plane.kubectl("-n", namespace, "patch", "deployment", "web", *edit)
    stage.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"size":"7"}}', "--field-manager=theirs")
    stage.plane.kubectl("-n", namespace, "patch", "configmap", "one", "--type=merge", '-p={"data":{"more":"7"}}', "--field-manager=theirs")
    return f"{first} {second}"


def test_a_drifted_field_names_line_commit_writer_and_what_nobody_does(stage: Stage, shop: str) -> None:
    first, _ = shop.split()
    answer = why(stage, "why", "Deployment/web", ".spec.replicas")
    field = answer["field"]
    assert (field["git"], field["live"]) == (2, 4)
    assert (answer["origin"]["file"], answer["origin"]["line"], answer["origin"]["commit"]) == ("why/web.yaml", 7, first)
    assert answer["origin"]["author"] == "Test <test@example.com>"
    assert answer["origin"]["subject"] == "change"
    assert (answer["writers"][0]["manager"], answer["writers"][0]["operation"]) == ("kubectl-edit", "Update")
    assert answer["verdict"].startswith("live differs from Git since ")
    assert answer["verdict"].endswith(
        "written by kubectl-edit; automated sync is off, so nobody puts it back: `homeostat app sync why` does"
    )
    assert answer["rule"] == "compared, and changed"


def test_a_field_of_an_item_of_a_list_is_found_by_its_name_or_its_place(stage: Stage, shop: str) -> None:
    first, second = shop.split()
    image = ".spec.template.spec.containers[name=web].image"
    answer = why(stage, "why", "apps/Deployment/web", image)
    assert answer["path"] == image
    assert (answer["origin"]["line"], answer["origin"]["commit"]) == (14, second)
    assert answer["verdict"] == "live is what Git wants"
    assert answer["sync"]["id"] == 1
    assert answer["sync"]["revision"] == second
    for same in ("spec.template.spec.containers[0].image", "/spec/template/spec/containers/0/image"):
        assert why(stage, "why", "deployments.apps/web", same) == answer
    cpu = why(stage, "why", "Deployment/web", ".spec.template.spec.containers[0].resources.requests.cpu")
    assert (cpu["field"]["git"], cpu["field"]["live"], cpu["origin"]["commit"]) == ("1000m", "1", first)
    assert cpu["verdict"] == "live is what Git wants, in the API server's own spelling"


def test_what_git_does_not_name_is_said_to_be_others(stage: Stage, shop: str) -> None:
    assert shop
    default = why(stage, "why", "Deployment/web", ".spec.revisionHistoryLimit")
    assert default["verdict"] == "Git does not name it and nobody owns it: it is the API server's default"
    status = why(stage, "why", "Deployment/web", ".status.replicas")
    assert status["rule"] == "status is the cluster's own: it is not compared"
    assert status["writers"][0]["manager"] == "kube-controller-manager"
    theirs = why(stage, "why", "ConfigMap/one", ".data.more")
    assert theirs["verdict"].startswith("Git does not name it: theirs wrote it at ")
    mark = why(stage, "why", "ConfigMap/one", ".metadata.annotations.argocd.argoproj.io/tracking-id")
    assert mark["verdict"] == "live is what Git wants"
    assert "set by Homeostat" in mark["origin"]["note"]
    nothing = why(stage, "why", "ConfigMap/one", ".data.none")
    assert nothing["verdict"] == "neither Git nor live have this field"


def test_an_ignored_difference_names_its_rule(stage: Stage, shop: str) -> None:
    assert shop
    rules = [
        {"group": "*", "kind": "ConfigMap", "jsonPointers": ["/data/shape"]},
        {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.replicas"]},
        {"kind": "ConfigMap", "managedFieldsManagers": ["nobody", "theirs"]},
    ]
    patch = json.dumps({"spec": {"ignoreDifferences": rules}})
    stage.plane.kubectl("-n", stage.control, "patch", "app", "why", "--type=merge", "-p", patch)
    try:
        replicas = why(stage, "why", "Deployment/web", ".spec.replicas")
        assert "spec.ignoreDifferences[1].jqPathExpressions[0] says that this does not count, so it stays" in replicas["verdict"]
        size = why(stage, "why", "ConfigMap/one", ".data.size")
        assert size["rule"] == "spec.ignoreDifferences[2].managedFieldsManagers[1]: differences do not count"
        shape = why(stage, "why", "ConfigMap/one", ".data.shape")
        assert shape["verdict"] == "live is what Git wants; a difference would not count, by spec.ignoreDifferences[0].jsonPointers[0]"
        whole = why(stage, "why", "ConfigMap/one")
        assert whole["status"] == "Synced"
        assert {".data.shape", ".data.size"} <= {one["path"] for one in whole["fields"]}
    finally:
        stage.plane.kubectl("-n", stage.control, "patch", "app", "why", "--type=merge", '-p={"spec":{"ignoreDifferences":null}}')


def test_an_object_as_a_whole_lists_the_fields_that_differ(stage: Stage, shop: str) -> None:
    assert shop
    answer = why(stage, "why", "ConfigMap/one")
    assert [one["path"] for one in answer["fields"]] == [".data.size"]
    assert answer["verdict"].startswith(".data.size: live differs from Git since ")
    assert answer["origin"]["file"] == "why/one.yaml"
    assert answer["origin"]["line"] == 1
    text = stage.app("why", "why", "ConfigMap/one").stdout
    assert f"Object:      ConfigMap {stage.namespace('why')}/one" in text
    row = text.splitlines()[-1].split()
    assert row[:4] == [".data.size", "1", "7", "theirs"]
    assert row[6] == "why/one.yaml:6"


def test_objects_of_the_app_complete_from_its_status(stage: Stage, shop: str) -> None:
    assert shop
    words = f"homeostat app why --kubeconfig {stage.plane.kubeconfig} --namespace {stage.control} why dep"
    environment = {"_HOMEOSTAT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    assert homeostat(env=environment).stdout.split() == ["plain,Deployment/web"]


def test_values_of_secrets_are_masked_and_their_lines_are_found_where_they_were_plain_text(stage: Stage) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  user: open-sesame\n  password: hunter22\n"
    stage.write(whysecret__s=secret)
    stage.push()
    stage.create("whysecret")
    stage.app("sync", "whysecret")
    namespace = stage.namespace("whysecret")
    stage.plane.kubectl("-n", namespace, "patch", "secret", "s", "--type=merge", '-p={"stringData":{"password":"changed-by-hand"}}')
    answer = stage.app("why", "whysecret", "Secret/s", ".data.password", "-o", "json").stdout
    found = json.loads(answer)
    assert found["origin"]["line"] == 6
    assert set(found["field"]["git"]) == set(found["field"]["live"]) == {"+"}
    assert found["field"]["git"] != found["field"]["live"]
    everything = answer + stage.app("why", "whysecret", "Secret/s").stdout + stage.app("why", "whysecret", "Secret/s", "-o", "yaml").stdout
    everything += stage.app("why", "whysecret", "Secret/s", ".data").stdout + stage.app("why", "whysecret", "Secret/s", ".metadata").stdout
    for planted in ("open-sesame", "hunter22", "changed-by-hand", "b3Blbi1zZXNhbWU", "aHVudGVyMjI", "Y2hhbmdlZC1ieS1oYW5k"):
        assert planted not in everything


def test_what_kustomize_made_is_found_by_what_it_says(stage: Stage) -> None:
    stage.write(
        whykust__base__web=WEB,
        whykust__base__kustomization="resources: [web.yaml]\n",
        whykust__over__kustomization="namePrefix: x-\nresources: [../base]\nreplicas: [{name: web, count: 3}]\n",
    )
    commit = stage.push()
    stage.create("whykust", path="whykust/over")
    stage.app("sync", "whykust")
    image = why(stage, "whykust", "Deployment/x-web", ".spec.template.spec.containers[0].image")
    assert (image["origin"]["file"], image["origin"]["line"], image["origin"]["commit"]) == ("whykust/base/web.yaml", 14, commit)
    assert "found by what it says: Kustomize read this file" in image["origin"]["note"]
    replicas = why(stage, "whykust", "Deployment/x-web", ".spec.replicas")
    assert (replicas["origin"]["file"], replicas["origin"].get("line", 0)) == ("whykust/over/kustomization.yaml", 0)
    assert "the line is not known: Kustomize put it together" in replicas["origin"]["note"]


def test_what_is_missing_extra_new_or_unknown_is_said(stage: Stage) -> None:
    stage.write(whymore__old=config("old", x="1"), whymore__same=config("same", x="1"))
    stage.push()
    stage.create("whymore")
    stage.app("sync", "whymore")
    stage.repository.remove("whymore/old.yaml")
    stage.push()
    stage.app("refresh", "whymore")
    extra = why(stage, "whymore", "ConfigMap/old")
    assert extra["verdict"].startswith("Git does not hold it any more, and prune is off, so nobody deletes it")
    namespace = stage.namespace("whymore")
    stage.plane.kubectl("-n", namespace, "delete", "configmap", "same")
    missing = why(stage, "whymore", "ConfigMap/same")
    assert missing["verdict"] == (
        "Git wants it, and it is not there; automated sync is off, so nobody puts it back: `homeostat app sync whymore` does"
    )
    done = stage.app("why", "whymore", "ConfigMap/sam", code=1)
    assert "error: app `whymore` has no object ConfigMap/sam" in done.stderr
    assert "did you mean `ConfigMap/same`?" in done.stderr
    assert "expected [GROUP/]KIND/NAME" in stage.app("why", "whymore", "same", code=2).stderr
    assert "the path '.a[' cannot be read at '['" in stage.app("why", "whymore", "ConfigMap/same", ".a[", code=1).stderr
