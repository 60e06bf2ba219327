/**
 * What every engine of the vault must do, and must refuse, asked through the port. The forbidden cells of docs/authority.md play a
 * compromised join server: it has the pipe, every blob, every sealed key and every registration that ever passed it.
 */
import { createDecipheriv } from "node:crypto";
import {
  Key,
  type KeyRole,
  type LabelledKek,
  makeKekSealedTo,
  makeOwnerKey,
  openOwnerKey,
  parseReceiver,
  type RootKeyBlobs,
  sealKeys,
  signRegistration,
  type VaultJoin,
  type VaultJoined,
} from "@trefoil/custody";
import type { MacVersion, SignedRegistration, VaultInfo } from "@trefoil/wire";
import { beforeAll, describe, expect, it } from "vitest";
import type { Operations } from "../src/operations.ts";
import {
  acceptFields,
  acceptMic10,
  acceptMic11,
  joinRequest,
  jsKey,
  readJoinAccept,
  sessionKey,
  un,
} from "./reference.ts";

export type VaultUnderTest = {
  readonly ask: Operations;
  /** The same vault after its process was started again. */
  readonly reopened: () => Operations;
};

const owner = makeOwnerKey("contract");
const ownerKey = openOwnerKey(owner.privateKeyPem, "contract") ?? expect.unreachable();
const appKey = "2b7e151628aed2a6abf7158809cf4f3c";
const nwkKey = "00112233445566778899aabbccddeeff";
const device = { devEui: "0011223344556677", joinEui: "70b3d57ed0000001", netId: "000013", asId: "trefoil-as" };

export function vaultContract(name: string, makeVault: (ownerPublicKey: string) => VaultUnderTest): void {
  describe(`${name} vault`, () => {
    let vault: VaultUnderTest;
    let info: VaultInfo;
    let networkKek: LabelledKek;
    let applicationKek: LabelledKek;
    let registrations: SignedRegistration[];
    let blobs10: RootKeyBlobs;
    let blobs11: RootKeyBlobs;

    const receiver = () => parseReceiver(info.publicKey) ?? expect.unreachable();
    const sealed = (keys: { readonly [role in KeyRole]?: string }, eui: { joinEui: string; devEui: string } = device) =>
      sealKeys(
        receiver(),
        Object.entries(keys).map(([role, key]) => ({
          key: new Key(role as KeyRole, un(key)),
          joinEui: eui.joinEui,
          devEui: eui.devEui,
        })),
      );
    const importOne = (row: object) => vault.ask.importRootKeys([row])?.[0];
    const imported = (macVersion: MacVersion, keys: { readonly [role in KeyRole]?: string }): RootKeyBlobs => {
      const answer = importOne({ ...device, macVersion, sealed: sealed(keys) });
      return answer?.result === "imported" ? answer.blobs : expect.unreachable(JSON.stringify(answer));
    };
    const kek = (label: string, binding: { netId: string } | { asId: string }, issuedAt: number, by = ownerKey) => {
      const made = makeKekSealedTo(receiver(), label);
      return {
        kek: made.kek,
        signed: signRegistration(by, { version: 1, kind: "kek", label, ...binding, kek: made.sealed, issuedAt }),
      };
    };
    const register = (...args: Parameters<typeof kek>) => vault.ask.registerKek(kek(...args).signed);

    const join10 = (change: Partial<VaultJoin> = {}): VaultJoin => ({
      ...device,
      blobs: blobs10,
      joinRequest: joinRequest(appKey, device.joinEui, device.devEui, 258),
      joinNonce: 0x030201,
      devAddr: "26011bda",
      dlSettings: 0x03,
      rxDelay: 1,
      ...change,
    });
    const join11 = (change: Partial<VaultJoin> = {}): VaultJoin => ({
      ...join10(),
      blobs: blobs11,
      joinRequest: joinRequest(nwkKey, device.joinEui, device.devEui, 258),
      dlSettings: 0x83,
      ...change,
    });
    const joined = (answer: VaultJoined | undefined) =>
      answer?.result === "joined" ? answer : expect.unreachable(JSON.stringify(answer));
    const opened = (from: LabelledKek, envelope: { kekLabel: string; aesKey: string } | undefined) => {
      expect(envelope?.kekLabel).toBe(from.label);
      return from.key.expose((octets) =>
        createDecipheriv("id-aes256-wrap", octets, Buffer.alloc(8, 0xa6))
          .update(un(envelope?.aesKey ?? ""))
          .toString("hex"),
      );
    };

    beforeAll(() => {
      vault = makeVault(owner.publicKey);
      info = vault.ask.info({}) ?? expect.unreachable();
      const [network, application] = [
        kek("ns/000013", { netId: "000013" }, 1_000),
        kek("as/trefoil-as", { asId: "trefoil-as" }, 1_000),
      ];
      registrations = [network.signed, application.signed];
      for (const signed of registrations) expect(vault.ask.registerKek(signed)).toEqual({ result: "registered" });
      networkKek = network.kek;
      applicationKek = application.kek;
      blobs10 = imported("1.0.4", { AppKey: appKey });
      blobs11 = imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
    });

    it("says what it is, and the fingerprint is of the key that it publishes", () => {
      expect(info.engine).toBe(name);
      expect(receiver().fingerprint).toBe(info.fingerprint);
    });

    it("1.0.x: the device accepts the join-accept, and each server opens its keys alone (TS001-1.0.4 §6.2)", () => {
      const { joinAccept, keys } = joined(vault.ask.join(join10()));
      const accept = readJoinAccept(appKey, joinAccept);
      expect(accept.mhdr).toBe(0x20);
      expect(accept.fields.toString("hex")).toBe(acceptFields(0x030201, "000013", "26011bda", 0x03, 1));
      expect(accept.mic).toBe(acceptMic10(appKey, accept.fields));
      if (!("nwkSKey" in keys)) return expect.unreachable();
      expect(opened(networkKek, keys.nwkSKey)).toBe(sessionKey(appKey, 1, 0x030201, "000013", 258));
      expect(opened(applicationKek, keys.appSKey)).toBe(sessionKey(appKey, 2, 0x030201, "000013", 258));
      expect(Object.keys(keys).sort()).toEqual(["appSKey", "nwkSKey"]);
    });

    it("1.1: OptNeg set, MIC under JSIntKey, AppSKey from AppKey and network keys from NwkKey (LoRaWAN 1.1 §6.2)", () => {
      const { joinAccept, keys } = joined(vault.ask.join(join11()));
      const accept = readJoinAccept(nwkKey, joinAccept);
      expect(accept.fields.toString("hex")).toBe(acceptFields(0x030201, "000013", "26011bda", 0x83, 1));
      expect(accept.mic).toBe(acceptMic11(jsKey(nwkKey, 6, device.devEui), device.joinEui, 258, accept.fields));
      if (!("fNwkSIntKey" in keys)) return expect.unreachable();
      expect(opened(networkKek, keys.fNwkSIntKey)).toBe(sessionKey(nwkKey, 1, 0x030201, device.joinEui, 258));
      expect(opened(networkKek, keys.sNwkSIntKey)).toBe(sessionKey(nwkKey, 3, 0x030201, device.joinEui, 258));
      expect(opened(networkKek, keys.nwkSEncKey)).toBe(sessionKey(nwkKey, 4, 0x030201, device.joinEui, 258));
      expect(opened(applicationKek, keys.appSKey)).toBe(sessionKey(appKey, 2, 0x030201, device.joinEui, 258));
    });

    it.each(["184f84e85684b85e84886684586e8400", "ff000000000000000000000000000001"])(
      "a CFList travels in the join-accept as given: %s",
      (cfList) => {
        const accept = readJoinAccept(appKey, joined(vault.ask.join(join10({ cfList }))).joinAccept);
        expect(accept.fields.toString("hex")).toBe(acceptFields(0x030201, "000013", "26011bda", 0x03, 1, cfList));
        expect(accept.mic).toBe(acceptMic10(appKey, accept.fields));
      },
    );

    it("answers the same question the same way: asking twice is safe", () => {
      expect(vault.ask.join(join10())).toEqual(vault.ask.join(join10()));
    });

    it("no answer has a root key, a session key or a KEK in it", () => {
      const answers = JSON.stringify([
        vault.ask.join(join10()),
        vault.ask.join(join11()),
        vault.ask.keks({}),
        vault.ask.info({}),
        blobs10,
        blobs11,
      ]);
      const secrets = [
        appKey,
        nwkKey,
        sessionKey(appKey, 1, 0x030201, "000013", 258),
        networkKek.key.expose((octets) => Buffer.from(octets).toString("hex")),
      ];
      for (const secret of secrets) {
        expect(answers).not.toContain(secret);
        expect(answers).not.toContain(un(secret).toString("base64"));
      }
    });

    const wrongMic = () => {
      const request = un(join10().joinRequest);
      (request[22] as number) ^= 1;
      return request.toString("hex");
    };
    it.each<[string, () => VaultJoin, string]>([
      ["a wrong MIC", () => join10({ joinRequest: wrongMic() }), "join/mic-failed"],
      [
        "a join-request of another key",
        () => join10({ joinRequest: joinRequest(nwkKey, device.joinEui, device.devEui, 258) }),
        "join/mic-failed",
      ],
      [
        "a 1.1 join-request under the AppKey",
        () => join11({ joinRequest: joinRequest(appKey, device.joinEui, device.devEui, 258) }),
        "join/mic-failed",
      ],
      [
        "another device's join-request",
        () => join10({ joinRequest: joinRequest(appKey, device.joinEui, "0011223344556678", 258) }),
        "join/other-device",
      ],
      [
        "another JoinEUI's join-request",
        () => join10({ joinRequest: joinRequest(appKey, "70b3d57ed0000002", device.devEui, 258) }),
        "join/other-device",
      ],
      ["another kind of frame", () => join10({ joinRequest: `40${join10().joinRequest.slice(2)}` }), "join/malformed"],
      ["OptNeg for a 1.0.x device", () => join10({ dlSettings: 0x83 }), "join/version"],
      ["no OptNeg for a 1.1 device", () => join11({ dlSettings: 0x03 }), "join/version"],
      [
        "the NwkKey left out, to force 1.0.x keys on a 1.1 device",
        () => join11({ dlSettings: 0x03, blobs: { AppKey: blobs11.AppKey } }),
        "join/mic-failed",
      ],
    ])("refuses %s", (_, request, code) => {
      expect(vault.ask.join(request())).toEqual({ result: "refused", code });
    });

    describe("forbidden (docs/authority.md), whatever a compromised join server has", () => {
      const elsewhere = "0011223344556699";
      it.each<[string, () => VaultJoin, string]>([
        [
          "a blob moved to another device",
          () => join10({ devEui: elsewhere, joinRequest: joinRequest(appKey, device.joinEui, elsewhere, 1) }),
          "join/blob-refused",
        ],
        [
          "a blob moved to another JoinEUI",
          () =>
            join10({
              joinEui: "70b3d57ed0000002",
              joinRequest: joinRequest(appKey, "70b3d57ed0000002", device.devEui, 1),
            }),
          "join/blob-refused",
        ],
        [
          "NwkKey and AppKey blobs exchanged",
          () => join11({ blobs: { AppKey: blobs11.NwkKey ?? "", NwkKey: blobs11.AppKey } }),
          "join/blob-refused",
        ],
        [
          "an NwkKey blob as the AppKey of 1.0.x",
          () => join10({ blobs: { AppKey: blobs11.NwkKey ?? "" } }),
          "join/blob-refused",
        ],
        [
          "a changed blob",
          () => join10({ blobs: { AppKey: Buffer.alloc(24, 7).toString("base64") } }),
          "join/blob-refused",
        ],
        ["envelopes for a NetID without a registered KEK", () => join10({ netId: "000014" }), "join/no-network-kek"],
        [
          "envelopes for an AS-ID without a registered KEK",
          () => join10({ asId: "other-as" }),
          "join/no-application-kek",
        ],
      ])("%s is refused", (_, request, code) => {
        expect(vault.ask.join(request())).toEqual({ result: "refused", code });
      });

      it("envelopes for a registered NetID or AS-ID that is not the device's are refused", () => {
        expect(register("ns/000015", { netId: "000015" }, 1_000)).toEqual({ result: "registered" });
        expect(register("as/second", { asId: "second-as" }, 1_000)).toEqual({ result: "registered" });
        expect(vault.ask.join(join10({ netId: "000015" }))).toEqual({ result: "refused", code: "join/blob-refused" });
        expect(vault.ask.join(join10({ asId: "second-as" }))).toEqual({ result: "refused", code: "join/blob-refused" });
      });

      it("a KEK with somebody else's signature is refused", () => {
        const stranger = makeOwnerKey("stranger");
        const strangerKey = openOwnerKey(stranger.privateKeyPem, "stranger") ?? expect.unreachable();
        expect(register("ns/mine", { netId: "000020" }, 5_000, strangerKey)).toEqual({
          result: "refused",
          code: "registration/not-signed-by-owner",
        });
        expect(register("ns/mine", { netId: "000013" }, 5_000, strangerKey)).toEqual({
          result: "refused",
          code: "registration/not-signed-by-owner",
        });
      });

      it("a signed registration with an exchanged KEK, label or binding is refused", () => {
        const good = kek("ns/000021", { netId: "000021" }, 1_000).signed;
        const mine = JSON.stringify(makeKekSealedTo(receiver(), "x").sealed);
        const registration = JSON.parse(good.payload);
        for (const change of [
          { kek: JSON.parse(mine) },
          { label: "ns/mine" },
          { netId: "000022" },
          { issuedAt: 9_000 },
        ]) {
          const payload = JSON.stringify({ ...registration, ...change });
          expect(vault.ask.registerKek({ payload, signature: good.signature })).toEqual({
            result: "refused",
            code: "registration/not-signed-by-owner",
          });
        }
      });

      it("an older registration does not come back, and the present one may be repeated", () => {
        const [first, second] = [1_000, 2_000].map((at) => kek(`ns/000030/${at}`, { netId: "000030" }, at).signed);
        const answers = [first, second, first, second].map((signed) => vault.ask.registerKek(signed));
        expect(answers.map((answer) => (answer?.result === "refused" ? answer.code : answer?.result))).toEqual([
          "registered",
          "registered",
          "registration/older",
          "registered",
        ]);
        expect(register("ns/000030/same-time", { netId: "000030" }, 2_000)).toEqual({
          result: "refused",
          code: "registration/older",
        });
      });

      it("two KEKs never share a label", () => {
        expect(register("as/trefoil-as", { netId: "000031" }, 1_000)).toEqual({
          result: "refused",
          code: "registration/label-taken",
        });
      });

      it("a KEK that is sealed to another vault is refused, although the owner signed it", () => {
        const other = makeVault(owner.publicKey).ask.info({})?.publicKey;
        const made = makeKekSealedTo(parseReceiver(other) ?? expect.unreachable(), "ns/000032");
        const signed = signRegistration(ownerKey, {
          version: 1,
          kind: "kek",
          label: "ns/000032",
          netId: "000032",
          kek: made.sealed,
          issuedAt: 1,
        });
        expect(vault.ask.registerKek(signed)).toEqual({ result: "refused", code: "sealed/not-for-this-receiver" });
      });

      it("a blob of another vault is refused", () => {
        const other = makeVault(owner.publicKey).ask;
        const otherReceiver = parseReceiver(other.info({})?.publicKey) ?? expect.unreachable();
        const key = new Key("AppKey", un(appKey));
        const answer = other.importRootKeys([
          { ...device, macVersion: "1.0.4", sealed: sealKeys(otherReceiver, [{ key, ...device }]) },
        ])?.[0];
        const blobs = answer?.result === "imported" ? answer.blobs : expect.unreachable();
        expect(vault.ask.join(join10({ blobs }))).toEqual({ result: "refused", code: "join/blob-refused" });
      });
    });

    it("a replaced KEK wraps from then on, for its server alone", () => {
      const next = kek("ns/000013/2", { netId: "000013" }, 3_000);
      expect(vault.ask.registerKek(next.signed)).toEqual({ result: "registered" });
      const { keys } = joined(vault.ask.join(join10()));
      expect("nwkSKey" in keys && opened(next.kek, keys.nwkSKey)).toBe(sessionKey(appKey, 1, 0x030201, "000013", 258));
      expect(opened(applicationKek, keys.appSKey)).toBe(sessionKey(appKey, 2, 0x030201, "000013", 258));
      networkKek = next.kek;
    });

    it("blobs and registrations survive a restart", () => {
      const again = vault.reopened();
      expect(again.info({})).toEqual(info);
      expect(again.keks({})).toEqual(vault.ask.keks({}));
      expect(again.join(join11())).toEqual(vault.ask.join(join11()));
    });

    it.each<[string, () => object, string]>([
      [
        "keys of another device",
        () => ({
          ...device,
          macVersion: "1.0.4",
          sealed: sealed({ AppKey: appKey }, { ...device, devEui: "0000000000000001" }),
        }),
        "import/other-device",
      ],
      [
        "keys of another JoinEUI",
        () => ({
          ...device,
          macVersion: "1.0.4",
          sealed: sealed({ AppKey: appKey }, { ...device, joinEui: "0000000000000001" }),
        }),
        "import/other-device",
      ],
      [
        "a DevEUI changed on the way",
        () => ({
          ...device,
          devEui: "0000000000000001",
          macVersion: "1.0.4",
          sealed: renamed(sealed({ AppKey: appKey }), "0000000000000001"),
        }),
        "sealed/changed",
      ],
      [
        "1.1 without NwkKey",
        () => ({ ...device, macVersion: "1.1", sealed: sealed({ AppKey: appKey }) }),
        "import/wrong-keys",
      ],
      [
        "1.0.x with NwkKey",
        () => ({ ...device, macVersion: "1.0.4", sealed: sealed({ AppKey: appKey, NwkKey: nwkKey }) }),
        "import/wrong-keys",
      ],
      [
        "a session key",
        () => ({ ...device, macVersion: "1.0.4", sealed: sealed({ AppKey: appKey, AppSKey: nwkKey }) }),
        "import/wrong-keys",
      ],
      ["a KEK", () => ({ ...device, macVersion: "1.0.4", sealed: sealed({ KEK: appKey }) }), "import/wrong-keys"],
      [
        "an unknown version",
        () => ({ ...device, macVersion: "1.2", sealed: sealed({ AppKey: appKey }) }),
        "vault/malformed",
      ],
      ["nothing sealed", () => ({ ...device, macVersion: "1.0.4" }), "vault/malformed"],
      ["something else sealed", () => ({ ...device, macVersion: "1.0.4", sealed: {} }), "sealed/malformed"],
    ])("does not import %s, and goes on with the next row", (_, row, code) => {
      const good = { ...device, macVersion: "1.0.4", sealed: sealed({ AppKey: appKey }) };
      const answers = vault.ask.importRootKeys([row(), good]);
      expect(answers).toMatchObject([{ result: "refused", code }, { result: "imported" }]);
    });

    it.each<[string, () => object]>([
      ["no blobs", () => ({ ...join10(), blobs: undefined })],
      ["a blob that is too long", () => join10({ blobs: { AppKey: Buffer.alloc(32).toString("base64") } })],
      ["a JoinNonce over 24 bits", () => join10({ joinNonce: 2 ** 24 })],
      ["a fractional JoinNonce", () => join10({ joinNonce: 1.5 })],
      ["an EUI in capitals", () => join10({ devEui: "00112233445566AA" })],
      ["a short DevAddr", () => join10({ devAddr: "2601" })],
      ["a long join-request", () => join10({ joinRequest: "00".repeat(24) })],
      ["a CFList of 15 octets", () => join10({ cfList: "00".repeat(15) })],
      ["an RxDelay over 15", () => join10({ rxDelay: 16 })],
    ])("takes no join with %s", (_, request) => {
      expect(vault.ask.join(request())).toBeUndefined();
    });

    it.each([undefined, null, 1, "x", [], {}, { payload: 1 }, [null, 1, {}]])(
      "%j is an answer or nothing, never an exception",
      (body) => {
        for (const operation of Object.values(vault.ask)) expect(() => operation(body)).not.toThrow();
      },
    );
  });
}

const renamed = <S extends { readonly keys: readonly object[] }>(sealed: S, devEui: string) => ({
  ...sealed,
  keys: sealed.keys.map((key) => ({ ...key, devEui })),
});
