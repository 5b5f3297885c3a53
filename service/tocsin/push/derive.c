/* The key of one Web Push message (RFC 8291 §3.4), as `derive` in encryption.py makes it, with the system's libcrypto.
 *
 * Optional: built when Tocsin is installed where there are a C compiler and OpenSSL's headers (scripts/build_derive.py),
 * called through ctypes with Python's lock held, which is what makes the contexts below safe to share. */

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <string.h>

enum { POINT = 65, AUTH = 16, SALT = 16, PRIVATE = 32, HASH = 32, BLOCK = 64 };
enum { HEADER = 86, CEK = 16, NONCE = 12 };
enum { DONE = 0, NO_POINT = 1, FAILED = 2 };

static EC_GROUP *curve;
static EVP_MD *sha256;
static EVP_MD_CTX *digest;
static BN_CTX *numbers;
static EC_POINT *theirs, *ours, *shared;

static int ready(void) {
    if (curve == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        digest = EVP_MD_CTX_new();
        numbers = BN_CTX_secure_new();
        curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        if (curve != NULL) {
            theirs = EC_POINT_new(curve);
            ours = EC_POINT_new(curve);
            shared = EC_POINT_new(curve);
        }
    }
    return sha256 && digest && numbers && curve && theirs && ours && shared;
}

/* HMAC-SHA-256 (RFC 2104) of two parts with a key of at most one block. OpenSSL's own looks its algorithm up anew each
 * time, which takes longer than the hashing. */
static int hmac(const uint8_t *key, size_t key_size, const void *text, size_t size, uint8_t out[HASH]) {
    uint8_t pad[BLOCK], inner[HASH];
    int ok, at;
    memset(pad, 0x36, BLOCK);
    for (at = 0; at < (int)key_size; at++) pad[at] ^= key[at];
    ok = EVP_DigestInit_ex2(digest, sha256, NULL) && EVP_DigestUpdate(digest, pad, BLOCK) &&
         EVP_DigestUpdate(digest, text, size) && EVP_DigestFinal_ex(digest, inner, NULL);
    for (at = 0; at < BLOCK; at++) pad[at] ^= 0x36 ^ 0x5c;
    ok = ok && EVP_DigestInit_ex2(digest, sha256, NULL) && EVP_DigestUpdate(digest, pad, BLOCK) &&
         EVP_DigestUpdate(digest, inner, HASH) && EVP_DigestFinal_ex(digest, out, NULL);
    OPENSSL_cleanse(pad, BLOCK);
    OPENSSL_cleanse(inner, HASH);
    return ok;
}

/* `out`: header (86), content encryption key (16), nonce (12). */
static int derive(const uint8_t *point, const uint8_t *auth, const uint8_t *salt, const BIGNUM *private, uint8_t *out) {
    static const uint8_t sizes[5] = {0, 0, 0x10, 0, POINT}; /* RFC 8188 §2.1: records of 4,096 bytes, key id of 65 */
    uint8_t agreed[POINT], public[POINT], info[14 + 2 * POINT + 1];
    uint8_t first[HASH], key[HASH], secret[HASH], cek[HASH], nonce[HASH];
    int ok;
    if (!EC_POINT_oct2point(curve, theirs, point, POINT, numbers)) return NO_POINT;
    ok = EC_POINT_mul(curve, ours, private, NULL, NULL, numbers) &&
         EC_POINT_mul(curve, shared, NULL, theirs, private, numbers) &&
         EC_POINT_point2oct(curve, ours, POINT_CONVERSION_UNCOMPRESSED, public, POINT, numbers) == POINT &&
         EC_POINT_point2oct(curve, shared, POINT_CONVERSION_UNCOMPRESSED, agreed, POINT, numbers) == POINT;
    memcpy(info, "WebPush: info", 14);
    memcpy(info + 14, point, POINT);
    memcpy(info + 14 + POINT, public, POINT);
    info[14 + 2 * POINT] = 1;
    ok = ok && hmac(auth, AUTH, agreed + 1, HASH, first) && hmac(first, HASH, info, sizeof info, key) &&
         hmac(salt, SALT, key, HASH, secret) &&
         hmac(secret, HASH, "Content-Encoding: aes128gcm\0\1", 29, cek) &&
         hmac(secret, HASH, "Content-Encoding: nonce\0\1", 25, nonce);
    if (ok) {
        memcpy(out, salt, SALT);
        memcpy(out + SALT, sizes, sizeof sizes);
        memcpy(out + SALT + sizeof sizes, public, POINT);
        memcpy(out + HEADER, cek, CEK);
        memcpy(out + HEADER + CEK, nonce, NONCE);
    }
    OPENSSL_cleanse(agreed, POINT);
    OPENSSL_cleanse(first, HASH);
    OPENSSL_cleanse(key, HASH);
    OPENSSL_cleanse(secret, HASH);
    OPENSSL_cleanse(cek, HASH);
    OPENSSL_cleanse(nonce, HASH);
    EC_POINT_set_to_infinity(curve, shared);
    return ok ? DONE : FAILED;
}

/* With a new salt and a new key pair, whose private half is gone when this returns. */
static int derive_anew(const uint8_t *point, const uint8_t *auth, uint8_t *out) {
    uint8_t salt[SALT];
    BIGNUM *private;
    int found = FAILED;
    if (!ready() || (private = BN_secure_new()) == NULL) return FAILED;
    BN_set_flags(private, BN_FLG_CONSTTIME);
    do {
        if (!BN_priv_rand_range(private, EC_GROUP_get0_order(curve))) goto end;
    } while (BN_is_zero(private));
    if (RAND_bytes(salt, SALT) == 1) found = derive(point, auth, salt, private, out);
end:
    BN_clear_free(private);
    return found;
}

static int derive_known(const uint8_t *point, const uint8_t *auth, const uint8_t *salt, const uint8_t *private_key,
                        uint8_t *out) {
    BIGNUM *private;
    int found;
    if (!ready() || (private = BN_bin2bn(private_key, PRIVATE, NULL)) == NULL) return FAILED;
    BN_set_flags(private, BN_FLG_CONSTTIME);
    found = derive(point, auth, salt, private, out);
    BN_clear_free(private);
    return found;
}

/* Python's ssl has the same libcrypto and its queue of errors: one of ours that is left there ends a connection. */
int tocsin_derive(const uint8_t point[POINT], const uint8_t auth[AUTH], uint8_t out[HEADER + CEK + NONCE]) {
    int found;
    ERR_set_mark();
    found = derive_anew(point, auth, out);
    ERR_pop_to_mark();
    return found;
}

/* With these, to repeat a known example. */
int tocsin_derive_with(const uint8_t point[POINT], const uint8_t auth[AUTH], const uint8_t salt[SALT],
                       const uint8_t private_key[PRIVATE], uint8_t out[HEADER + CEK + NONCE]) {
    int found;
    ERR_set_mark();
    found = derive_known(point, auth, salt, private_key, out);
    ERR_pop_to_mark();
    return found;
}

const char *tocsin_libcrypto(void) { return OpenSSL_version(OPENSSL_VERSION); }
