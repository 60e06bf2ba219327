/** One line that grows: how far an import is. Drawn on terminals alone. */
export type Progress = {
  readonly show: (fraction: number, rows: number, failed: number) => void;
  readonly end: () => void;
};

type Terminal = { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };

const silent: Progress = { show: () => undefined, end: () => undefined };

/** `now` in milliseconds, for the time that is left. */
export function progressOn(terminal: Terminal, now: () => number): Progress {
  if (!terminal.isTTY) return silent;
  const start = now();
  let isDrawn = false;
  const draw = (text: string) => terminal.write(`\r\x1b[K${text}`);
  return {
    show(fraction, rows, failed) {
      isDrawn = true;
      draw(progressLine(fraction, rows, failed, now() - start, terminal.columns || 80));
    },
    end() {
      if (isDrawn) draw("");
    },
  };
}

/** "  ██████░░░░  58 %  58,000 rows, 12 failed  00:14 left" in at most `width` columns. */
export function progressLine(fraction: number, rows: number, failed: number, elapsed: number, width: number): string {
  const part = Math.min(1, Math.max(0, fraction));
  const left = part > 0 && part < 1 && elapsed > 2_000 ? `  ${clock((elapsed * (1 - part)) / part)} left` : "";
  const words = `${String(Math.floor(part * 100)).padStart(3)} %  ${rows.toLocaleString("en")} rows${failed > 0 ? `, ${failed.toLocaleString("en")} failed` : ""}${left}`;
  const room = Math.min(30, width - words.length - 5);
  if (room < 4) return words.slice(0, Math.max(0, width - 1));
  const full = Math.round(part * room);
  return `  ${"█".repeat(full)}${"░".repeat(room - full)} ${words}`;
}

function clock(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1_000);
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  return `${String(minutes).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
}
