/** What the application-server asks, parsed once (platform/wire/src/application-link.ts). */
import { fromBase64 } from "@trefoil/lorawan";
import type { Offer, Reserve, Withdraw } from "@trefoil/wire";

const isText = (value: unknown, longest: number): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= longest;
const isCount = (value: unknown, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
const eui = /^[0-9a-f]{16}$/;
const counterTop = 0xffff_ffff;

export function parseReserve(body: unknown): Reserve | undefined {
  const r = (body ?? {}) as { [name in keyof Reserve]?: unknown };
  const isReserve =
    typeof r.devEui === "string" &&
    eui.test(r.devEui) &&
    isText(r.queueId, 128) &&
    isCount(r.fPort, 255) &&
    isCount(r.size, 255) &&
    typeof r.confirmed === "boolean";
  return isReserve ? (body as Reserve) : undefined;
}

/** With the payload in octets. */
export function parseOffer(body: unknown): { readonly offer: Offer; readonly frmPayload: Uint8Array } | undefined {
  const o = (body ?? {}) as { [name in keyof Offer]?: unknown };
  const isOffer =
    parseReserve(body) !== undefined &&
    isText(o.sessionKeyId, 128) &&
    isCount(o.fCntDown, counterTop) &&
    typeof o.more === "boolean";
  const frmPayload = isOffer && typeof o.frmPayload === "string" ? fromBase64(o.frmPayload) : undefined;
  if (!frmPayload || frmPayload.length !== o.size) return undefined;
  return { offer: body as Offer, frmPayload };
}

export function parseWithdraw(body: unknown): Withdraw | undefined {
  const w = (body ?? {}) as { [name in keyof Withdraw]?: unknown };
  const isWithdraw =
    typeof w.devEui === "string" &&
    eui.test(w.devEui) &&
    Array.isArray(w.queueIds) &&
    w.queueIds.length <= 10_000 &&
    w.queueIds.every((id) => isText(id, 128));
  return isWithdraw ? (body as Withdraw) : undefined;
}
