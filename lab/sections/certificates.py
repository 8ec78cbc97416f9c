"""Certificates of a host: its own, which the lab answers with, and one that is only kept."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import named_format
from lab.routes import handles

_CUSTOM = "pveproxy-ssl.pem"
_OWN = "pve-ssl.pem"
_NO_PEM = "not a valid PEM-formatted string."
_KEY = "-----BEGIN {}PRIVATE KEY-----"


@named_format("pem-certificate-chain")
def _chain(text: str) -> None:
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ValueError(_NO_PEM) from error


@named_format("pem-string")
def _pem(text: str) -> None:
    if "-----BEGIN " not in text or "-----END " not in text:
        raise ValueError(_NO_PEM)


def _row(call: Call) -> dict[str, Any] | None:
    found = call.lab.store.get("nodefile", f"{call.params['node']}/certificate")
    return found["content"] if found else None


def _described(filename: str, pem: str) -> dict[str, Any]:
    """What Proxmox VE tells of the first certificate of a chain."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = certificate.public_key()
    kind = "rsaEncryption" if isinstance(key, rsa.RSAPublicKey) else "id-ecPublicKey"
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else 256
    return {
        "filename": filename,
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        "issuer": _name(certificate.issuer),
        "subject": _name(certificate.subject),
        "notbefore": int(certificate.not_valid_before_utc.timestamp()),
        "notafter": int(certificate.not_valid_after_utc.timestamp()),
        "public-key-bits": bits,
        "public-key-type": kind,
        "san": _names(certificate),
        "pem": pem,
    }


def _name(name: x509.Name) -> str:
    return "".join(f"/{part.rfc4514_string()}" for part in name.rdns)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found.value]


@handles("GET", "/nodes/{node}/certificates/info")
async def list_certificates(call: Call) -> Any:
    """The authority's, the host's own and, if there is one, the kept certificate."""
    state = call.lab.settings.state
    found = [
        _described("pve-root-ca.pem", (state / "ca.pem").read_text()),
        _described(_OWN, (state / "server.pem").read_text()),
    ]
    if (own := _row(call)) is not None:
        found.append(_described(_CUSTOM, own["certificates"]))
    return found


@handles("POST", "/nodes/{node}/certificates/custom")
async def upload_certificate(call: Call) -> Any:
    """Keep a certificate and its key; the lab goes on answering with its own."""
    present, key = _row(call), call.params.get("key")
    if key is None:
        if present is None:
            text = "Attempted to upload custom certificate without (existing) key."
            raise bad_parameter("key", text)
        key = present["key"]
    if present is not None and not call.params.get("force"):
        raise failure("Custom certificate file exists but force flag is not set.")
    chain = call.params["certificates"]
    if not _fits(chain, key):
        raise failure("Setting certificate files failed - key does not match the certificate")
    content = {"certificates": chain, "key": key}
    call.lab.store.put("nodefile", f"{call.params['node']}/certificate", {"content": content})
    return _described(_CUSTOM, chain)


def _fits(chain: str, key: str) -> bool:
    """Whether a private key belongs to the first certificate."""
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        return False
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    certificate = x509.load_pem_x509_certificate(chain.encode())
    own = private.public_key().public_bytes(*form)
    return own == certificate.public_key().public_bytes(*form)


@handles("DELETE", "/nodes/{node}/certificates/custom")
async def delete_certificate(call: Call) -> Any:
    """Forget the kept certificate; without one nothing happens."""
    call.lab.store.delete("nodefile", f"{call.params['node']}/certificate")
