"""A server that speaks S3 for tests: moto, in a process of its own, with signatures looked at; and botocore to fill it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.config import Config


class Storage:
    """moto at ``address`` (``host:port``). ``access_key`` and ``secret_key`` are of a user who may read everything."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.access_key = self.secret_key = ""

    def client(self, service: str, access_key: str = "root", secret_key: str = "root") -> Any:
        session = botocore.session.Session()
        return session.create_client(
            service,
            region_name="us-east-1",
            endpoint_url=f"http://{self.address}",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )

    def prepare(self) -> None:
        """A user with a key; from then on signatures are looked at."""
        iam = self.client("iam")
        iam.create_user(UserName="reader")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="reader", PolicyName="all", PolicyDocument=json.dumps(allowed))
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        self.access_key, self.secret_key = key["AccessKeyId"], key["SecretAccessKey"]
        iam.close()

    def fill(self, bucket: str, files: Mapping[str, str | None], *, acl: str = "private") -> None:
        """Puts the objects, and takes away those that are ``None``."""
        s3 = self.client("s3", self.access_key, self.secret_key)
        if bucket not in {entry["Name"] for entry in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=bucket)
        for key, text in files.items():
            if text is None:
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ACL=acl)
        s3.close()


@contextmanager
def storage(*, signed: bool = True) -> Iterator[Storage]:
    """``signed``: signatures are looked at, and nobody may read without one. A page of a list has ten objects."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": "10"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        draining = threading.Thread(target=process.stderr.read)
        try:
            said = b""
            while b"Running on" not in said:
                line = process.stderr.readline()
                assert line, f"moto ended: {said.decode()}"
                said += line
            draining.start()
            there = Storage(f"127.0.0.1:{port}")
            there.prepare()
            if signed:
                url = f"http://{there.address}/moto-api/reset-auth"
                with urllib.request.urlopen(urllib.request.Request(url, b"0", {"Content-Type": "text/plain"})) as answer:
                    assert answer.status == 200
            yield there
        finally:
            process.terminate()
            process.wait()
        draining.join()
