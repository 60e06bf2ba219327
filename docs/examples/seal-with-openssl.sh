#!/bin/sh
# Seals one root key to a vault with OpenSSL's command line alone (docs/sealed-key.md), and signs it as a provisioner when a key is given.
#
#   printf %s 2b7e151628aed2a6abf7158809cf4f3c |
#     sh seal-with-openssl.sh vault.txt AppKey 70b3d57ed0000001 0011223344556677 [provisioner.pem] > sealed.json
#
# vault.txt: the vault's public key, SubjectPublicKeyInfo in base64. Compare the fingerprint printed with what the owner reads out.
# OpenSSL takes keys as arguments, which every user of the machine can see: do this where you are alone, or inside an HSM.
# provisioner.pem: an Ed25519 key.
set -eu
vault=$1 role=$2 joinEui=$3 devEui=$4 provisioner=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

octets() { xxd -r -p; }
hex() { xxd -p -c 1024; }
sha256() { openssl dgst -sha256 -binary; }

tr -d ' \n\r' < "$vault" | openssl base64 -d -A > "$work/vault.der"
fingerprint=$(sha256 < "$work/vault.der" | hex)
echo "sealing to $fingerprint" >&2

# 1. T, and the same encrypted to the vault.
openssl rand 32 > "$work/T"
transport=$(openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$work/vault.der" -pkeyopt rsa_padding_mode:oaep -in "$work/T" |
  openssl base64 -A)

# 2. to 4. The context, KT, and the key wrapped under it.
context=$(printf '01%s00%s%s%s' "$(printf %s "$role" | hex)" "$joinEui" "$devEui" "$fingerprint" | octets | sha256 | hex)
kt=$(printf %s "$context" | octets |
  openssl enc -aes-256-cbc -nopad -K "$(hex < "$work/T")" -iv 00000000000000000000000000000000 | hex)
wrapped=$(octets | openssl enc -id-aes256-wrap -K "$kt" -iv A6A6A6A6A6A6A6A6 | openssl base64 -A)

key=$(printf '{"role":"%s","joinEui":"%s","devEui":"%s","wrapped":"%s"}' "$role" "$joinEui" "$devEui" "$wrapped")
sealed=$(printf '{"version":1,"to":"%s","transport":"%s","keys":[%s]}' "$fingerprint" "$transport" "$key")
provision=
if [ -n "$provisioner" ]; then
  { printf 'TREFOIL-PROVISION-1\0'; printf %s "$sealed" | sha256; } > "$work/text"
  signature=$(openssl pkeyutl -sign -rawin -inkey "$provisioner" -in "$work/text" | openssl base64 -A)
  public=$(openssl pkey -in "$provisioner" -pubout -outform DER | openssl base64 -A)
  provision=$(printf ',"provision":{"publicKey":"%s","signature":"%s"}' "$public" "$signature")
fi
printf '{"format":"trefoil-export-1","devices":[{"devEui":"%s","joinEui":"%s","sealed":%s%s}]}\n' \
  "$devEui" "$joinEui" "$sealed" "$provision"
