import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPage, type Page } from "../apps/trefoil/src/demo/page.ts";
import type { Show } from "../apps/trefoil/src/demo/show.ts";
import { type Browser, openBrowser } from "./browser.ts";
import { hasService } from "./services.ts";

const show: Show = {
  summary: {
    devices: 2,
    joins: 1,
    uplinksSent: 8,
    heard: 7,
    delivered: 7,
    duplicates: 0,
    lost: 0,
    micFailures: 0,
    downlinksHeard: 3,
    latencyMs: { p50: 210, p90: 220, p99: 230 },
  },
  uplinksPerSecond: 1.5,
  seconds: 9,
  bays: [
    {
      deviceId: "bay-01",
      joined: true,
      uplinks: 3,
      last: { occupied: true, heartbeat: false, celsius: 20, battery: 1 } as never,
    },
    { deviceId: "bay-02", joined: false, uplinks: 0 },
  ],
  arrivals: [{ at: 1, deviceId: "bay-01", text: "<b>a car came</b>", latencyMs: 12 }],
};

describe.skipIf(!hasService("chromium"))("the demo's live page in a real browser", () => {
  let page: Page;
  let browser: Browser;
  let look: (expression: string) => Promise<string>;
  beforeAll(async () => {
    page = await openPage(0);
    page.show(show);
    browser = await openBrowser();
    look = await browser.open(page.url);
  });
  afterAll(async () => {
    page?.close();
    await browser?.close();
  });

  test("shows what was delivered, and each bay", async () => {
    await expect.poll(() => look("document.body.innerText"), { timeout: 20_000 }).toMatch(/Uplinks delivered\s+7/);
    expect(await look("document.querySelector('#lot li.taken').getAttribute('aria-label')")).toBe("bay 1: taken");
    expect(await look("document.querySelectorAll('#lot li').length")).toBe("2");
  });

  test("what devices send is text, never markup", async () => {
    expect(await look("document.querySelector('#arrivals').innerText")).toContain("<b>a car came</b>");
    expect(await look("document.querySelectorAll('#arrivals b').length")).toBe("0");
  });

  test("follows the network live, and says when the demo has ended", async () => {
    page.show({ ...show, summary: { ...show.summary, delivered: 4711 } });
    await expect.poll(() => look("document.body.innerText")).toContain("4711");
    page.close();
    await expect.poll(() => look("document.querySelector('#status').innerText")).toBe("The demo has ended.");
  });
});
