"""A certificate authority of the simulator's own, for the push services' real names."""

import datetime
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = datetime.timedelta(days=3650)
SERVER_LIFETIME = datetime.timedelta(days=365)
# Certificates begin an hour early, since clocks of containers and hosts differ.
CLOCK_SKEW = datetime.timedelta(hours=1)

_UNUSED_KEY_USES = {
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
}


class Authority:
    """Signs server certificates; the CA in `folder` is kept, so that clients need to trust it only once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca_file = folder / "ca.pem"
        key_file = folder / "ca.key"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.ca_file.exists() and key_file.exists():
            self._certificate = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            self._key = _load_key(key_file)
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._certificate = self._sign_itself()
            _write_key(key_file, self._key)
            self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """A TLS server (1.2 or later, ALPN h2 and http/1.1) with a new certificate for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(*self.issue(*names, expired=expired))
        return context

    def issue(self, *names: str, expired: bool = False) -> tuple[Path, Path]:
        """Certificate and key files for `names`; the expired one ended a day ago."""
        now = datetime.datetime.now(datetime.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(names[0], key.public_key())
            .issuer_name(self._certificate.subject)
            .not_valid_before(now - (datetime.timedelta(days=30) if expired else CLOCK_SKEW))
            .not_valid_after(now + (datetime.timedelta(days=-1) if expired else SERVER_LIFETIME))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self._key_usage(ca=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        stem = f"{names[0]}{'.expired' if expired else ''}"
        certificate_file, key_file = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(key_file, key)
        return certificate_file, key_file

    def _sign_itself(self) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            self._builder("Tocsin simulator CA", self._key.public_key())
            .issuer_name(_name("Tocsin simulator CA"))
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(self._key_usage(ca=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(self, common_name: str, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )

    @staticmethod
    def _key_usage(*, ca: bool) -> x509.KeyUsage:
        return x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **_UNUSED_KEY_USES)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file} is not the simulator's own CA key")
    return key


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a key that only its owner can read, from its first byte on."""
    file.unlink(missing_ok=True)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(pem)
