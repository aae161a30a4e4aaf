"""The user of SNMPv3 for gufo-snmp: keys, and whether a digest is right (RFC 3414)."""

from __future__ import annotations

import functools
import hmac

from gufo.snmp import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    KeyExpansion,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    User,
)
from gufo.snmp._fast import SnmpV3ClientSocket
from gufo.snmp.user import KeyType

from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.message import Header
from setpoint.units import Secret

# gufo's key, hashlib's name, length of the digest in a message: RFC 3414, sections 6 and 7; RFC 7860.
_AUTH: dict[str, tuple[type[BaseAuthKey], str, int]] = {
    "md5": (Md5Key, "md5", 12),
    "sha": (Sha1Key, "sha1", 12),
    "sha224": (Sha224Key, "sha224", 16),
    "sha256": (Sha256Key, "sha256", 24),
    "sha384": (Sha384Key, "sha384", 32),
    "sha512": (Sha512Key, "sha512", 48),
}
_PRIV: dict[str, tuple[type[BasePrivKey], KeyExpansion]] = {
    "des": (DesKey, KeyExpansion.Blumenthal),
    "aes128": (Aes128Key, KeyExpansion.Blumenthal),
    "aes192": (Aes192Key, KeyExpansion.Blumenthal),
    "aes256": (Aes256Key, KeyExpansion.Blumenthal),
    "aes192c": (Aes192Key, KeyExpansion.Cisco),
    "aes256c": (Aes256Key, KeyExpansion.Cisco),
}
_FLAG_AUTH = 1


class Keys:
    """The keys of one user, independent of the device: making them hashes a megabyte for each password."""

    def __init__(self, credentials: Credentials) -> None:
        auth = priv = None
        expansion = KeyExpansion.Blumenthal
        self._hash = ""
        self._digest_size = 0
        if credentials.auth is not None:
            kind, self._hash, self._digest_size = _AUTH[credentials.auth.protocol]
            auth = kind(kind.get_master_key(_octets(credentials.auth.password)), KeyType.Master)
            if credentials.priv is not None:
                cipher, expansion = _PRIV[credentials.priv.protocol]
                priv = cipher(kind.get_master_key(_octets(credentials.priv.password)), KeyType.Master)
        self._auth = auth
        self._user = User(credentials.user, auth_key=auth, priv_key=priv, key_expansion=expansion)

    def hand_to(self, client: SnmpV3ClientSocket) -> None:
        """Makes the socket, which knows the engine's id by now, that user's."""
        user = self._user
        client.set_keys(
            user.name, user.get_auth_alg(), user.get_auth_key(), user.get_priv_alg(), user.get_priv_key()
        )

    def localized(self, engine_id: bytes) -> bytes:
        """The key that signs the messages of one engine; empty without auth."""
        return self._auth.get_localized_key(self._auth.key, engine_id) if self._auth else b""

    def is_signed(self, datagram: bytes, header: Header, key: bytes) -> bool:
        """Whether the digest is right, or none is wanted."""
        if not self._hash:
            return True
        size = header.auth_end - header.auth_at
        if not header.flags & _FLAG_AUTH or size != self._digest_size:
            return False
        unsigned = datagram[: header.auth_at] + bytes(size) + datagram[header.auth_end :]
        digest = hmac.digest(key, unsigned, self._hash)[:size]
        return hmac.compare_digest(digest, datagram[header.auth_at : header.auth_end])


@functools.lru_cache(maxsize=256)
def keys_of(credentials: Credentials) -> Keys:
    """The keys, made once for all devices that share the credentials."""
    return Keys(credentials)


def _octets(password: Secret) -> bytes:
    return password.reveal().encode()
