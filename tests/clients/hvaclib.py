# SPDX-License-Identifier: Apache-2.0
"""hvac against a server of tests/lib/vaultd.py."""
import hvac


def ca_of(server):
    """What a client is told to trust: the certificate that vaultd made for itself."""
    return str(server.data_dir / "tls" / "cert.pem")


def client_of(server, token=None, **options):
    """hvac, verifying vaultd's certificate; with the root token unless told otherwise."""
    return hvac.Client(url=server.url, verify=ca_of(server),
                       token=server.root if token is None else token, **options)
