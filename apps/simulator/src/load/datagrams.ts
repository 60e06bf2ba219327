/**
 * A ring of PUSH_DATA datagrams, built ahead of their sending. All have one length, so that they lie side by side in one
 * buffer; `tmst` has ten places and is written when a datagram leaves (JSON allows blanks before a number).
 */
import { FrameBuilder, frameOctets } from "./frame-builder.ts";
import { shuffledRound } from "./order.ts";

const channels = [868.1, 868.3, 868.5, 867.1, 867.3, 867.5, 867.7, 867.9];
const blank = " ".repeat(10);
const dataPlaces = Math.ceil(frameOctets / 3) * 4;

const rxpk = (channel: number) =>
  `{"tmst":${blank},"chan":${channel},"rfch":0,"freq":${(channels[channel] as number).toFixed(6)},"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/5","lsnr":9.5,"rssi":-60,"size":${frameOctets},"data":"${"A".repeat(dataPlaces)}"}`;

export type DatagramOptions = {
  readonly devices: number;
  readonly seed: number;
  /** The first FCnt of every device; it rises by one with each round. */
  readonly fCntStart: number;
  readonly perDatagram: number;
  /** Gateway EUIs as octets; datagrams go to them in turn. */
  readonly gateways: readonly Uint8Array[];
  /** How many datagrams are kept ready. */
  readonly ahead: number;
};

export class Datagrams {
  readonly length: number;
  readonly #options: DatagramOptions;
  readonly #builder: FrameBuilder;
  readonly #ring: Buffer;
  /** Where `tmst` and `data` of each rxpk begin within a datagram. */
  readonly #tmstAt: readonly number[];
  readonly #dataAt: readonly number[];
  #built = 0;
  #taken = 0;
  #frames = 0;
  #round = -1;
  #indexOf: (position: number) => number = () => 0;

  constructor(options: DatagramOptions) {
    this.#options = options;
    this.#builder = new FrameBuilder(options.seed);
    const texts = Array.from({ length: channels.length }, (_, d) => {
      const each = Array.from({ length: options.perDatagram }, (_, i) => rxpk((d + i) % channels.length));
      return `{"rxpk":[${each.join(",")}]}`;
    });
    const text = texts[0] as string;
    this.length = 12 + text.length;
    this.#tmstAt = positions(text, blank);
    this.#dataAt = positions(text, "A".repeat(dataPlaces));
    this.#ring = Buffer.alloc(options.ahead * this.length);
    for (let slot = 0; slot < options.ahead; slot++) {
      const at = slot * this.length;
      this.#ring[at] = 2;
      this.#ring.write(texts[slot % texts.length] as string, at + 12, "latin1");
    }
  }

  get ready(): number {
    return this.#built - this.#taken;
  }
  get room(): number {
    return this.#options.ahead - this.ready;
  }

  /** Builds up to `count` more datagrams. */
  build(count: number): void {
    const { gateways, ahead, perDatagram } = this.#options;
    for (let left = Math.min(count, this.room); left > 0; left--) {
      const at = (this.#built % ahead) * this.length;
      this.#ring[at + 1] = this.#built >>> 8;
      this.#ring[at + 2] = this.#built;
      this.#ring.set(gateways[this.#built % gateways.length] as Uint8Array, at + 4);
      for (let i = 0; i < perDatagram; i++) this.#putFrame(at + 12 + (this.#dataAt[i] as number));
      this.#built++;
    }
  }

  /** The next datagram, stamped, and the number of the gateway that it comes from. Valid until the ring comes round. */
  take(tmst: number): { datagram: Buffer; gateway: number } {
    const { ahead, gateways } = this.#options;
    const at = (this.#taken % ahead) * this.length;
    for (const place of this.#tmstAt) putDecimal(this.#ring, at + 12 + place, tmst);
    const gateway = this.#taken % gateways.length;
    this.#taken++;
    return { datagram: this.#ring.subarray(at, at + this.length), gateway };
  }

  #putFrame(at: number): void {
    const { devices, seed, fCntStart } = this.#options;
    const position = this.#frames % devices;
    if (position === 0) {
      this.#round++;
      this.#indexOf = shuffledRound(devices, seed, this.#round);
    }
    this.#builder.build(this.#frames, this.#indexOf(position), fCntStart + this.#round);
    this.#frames++;
    putBase64(this.#ring, at, this.#builder.frame);
  }
}

function positions(text: string, part: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) found.push(at);
  return found;
}

/** Ten places, right-aligned, blanks in front. */
function putDecimal(out: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 9; i >= 0; i--) {
    const next = Math.floor(rest / 10);
    out[at + i] = rest === 0 && i < 9 ? 0x20 : 0x30 + (rest - next * 10);
    rest = next;
  }
}

const alphabet = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
/** Thirty octets are forty characters: no padding. */
function putBase64(out: Uint8Array, at: number, octets: Uint8Array): void {
  let to = at;
  for (let i = 0; i < octets.length; i += 3) {
    const three = ((octets[i] as number) << 16) | ((octets[i + 1] as number) << 8) | (octets[i + 2] as number);
    out[to++] = alphabet[three >> 18] as number;
    out[to++] = alphabet[(three >> 12) & 63] as number;
    out[to++] = alphabet[(three >> 6) & 63] as number;
    out[to++] = alphabet[three & 63] as number;
  }
}
