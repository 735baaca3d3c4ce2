/* Sends one file as the body of a request, straight from the disk, and says how far it is. A file
   may have gigabytes: it is never read into memory here. */
(function () {
  "use strict";
  const h = (...args) => window.React.createElement(...args);
  const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
  const RATE_MS = 400; // the rate is said anew this often

  /* The same as bytes_text of components/amounts.py. */
  function bytes(n) {
    let unit = 0;
    for (; n >= 999.5 && unit < UNITS.length - 1; unit++) n /= 1000;
    return unit === 0 ? `${n} bytes` : `${Number(n.toPrecision(3))} ${UNITS[unit]}`;
  }

  function left(seconds) {
    if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
    return `${Math.ceil(seconds / 60)} min left`;
  }

  function reason(request) {
    try {
      return JSON.parse(request.responseText).message || `the server answered ${request.status}`;
    } catch {
      return `the server answered ${request.status}`;
    }
  }

  const BROKEN = "The connection broke off: see whether the server runs, then send the file again.";

  /* Starts to send; `tell` hears every change, `done` the answer. Returns the request. */
  function send(url, file, tell, done) {
    const request = new XMLHttpRequest();
    const begun = performance.now();
    let told = 0;
    request.upload.onprogress = (event) => {
      const now = performance.now();
      if (now - told < RATE_MS && event.loaded < event.total) return;
      told = now;
      const perS = (1000 * event.loaded) / Math.max(1, now - begun);
      tell({ phase: "sending", name: file.name, loaded: event.loaded, total: file.size, perS });
    };
    request.onload = () => {
      if (request.status < 300) return done(JSON.parse(request.responseText));
      tell({ phase: "failed", message: reason(request) });
    };
    request.onerror = () => tell({ phase: "failed", message: BROKEN });
    request.onabort = () => tell({ phase: "idle" });
    request.open("POST", `${url}?${new URLSearchParams({ file_name: file.name })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
    return request;
  }

  function problemOf(file, most) {
    if (!file.size) return `${file.name} is empty, or a folder: choose a file.`;
    if (most && file.size > most) {
      return `${file.name} has ${bytes(file.size)}, and ${bytes(most)} are accepted: ` +
        "compress it, or give its path on the server.";
    }
    return null;
  }

  function sending(state, cancel) {
    const { name, loaded, total, perS } = state;
    const facts = [`${bytes(loaded)} of ${bytes(total)}`];
    if (perS) facts.push(`${bytes(Math.round(perS))}/s`);
    if (perS && loaded < total) facts.push(left((total - loaded) / perS));
    if (loaded >= total) facts.push("being stored");
    return h("div", { className: "as-upload-state" },
      h("div", { className: "as-progress-line" },
        h("span", { className: "as-phase as-break" }, name),
        h("span", { className: "as-num as-muted" }, facts.join(" · "))),
      h("progress", { value: loaded, max: total, "aria-label": `Sending ${name}` }),
      h("button", { type: "button", className: "as-button as-button-quiet as-button-small",
        onClick: cancel }, "Cancel"));
  }

  function stateOf(state, cancel) {
    if (state.phase === "sending") return sending(state, cancel);
    if (state.phase === "failed") {
      return h("p", { role: "alert", className: "as-upload-state as-bad as-break" }, state.message);
    }
    if (state.phase === "sent") {
      return h("p", { role: "status", className: "as-upload-state as-break" },
        `${state.name}, ${bytes(state.total)}, is on the server.`);
    }
    return null;
  }

  function Upload(props) {
    const { useEffect, useRef, useState } = window.React;
    const [state, setState] = useState({ phase: "idle" });
    const [over, setOver] = useState(false);
    const running = useRef(null);
    const busy = state.phase === "sending";

    useEffect(() => () => running.current && running.current.abort(), []);
    useEffect(() => {
      if (!busy) return undefined;
      const hold = (event) => event.preventDefault();
      window.addEventListener("beforeunload", hold);
      return () => window.removeEventListener("beforeunload", hold);
    }, [busy]);

    function take(file) {
      if (!file || busy) return;
      const problem = problemOf(file, props.maxBytes);
      if (problem) return setState({ phase: "failed", message: problem });
      setState({ phase: "sending", name: file.name, loaded: 0, total: file.size });
      running.current = send(props.url, file, setState, (answer) => {
        setState({ phase: "sent", name: file.name, total: file.size });
        const n = ((props.uploaded || {}).n || 0) + 1;
        props.setProps({ uploaded: { upload_id: answer.upload_id, file_name: file.name,
          size: file.size, n } });
      });
    }

    const drag = (is) => (event) => { event.preventDefault(); setOver(is && !busy); };
    const drop = (event) => { drag(false)(event); take(event.dataTransfer.files[0]); };
    const choose = (event) => { take(event.target.files[0]); event.target.value = ""; };
    return h("div", { id: props.id, className: "as-upload" + (over ? " over" : ""),
      onDragOver: drag(true), onDragLeave: drag(false), onDrop: drop },
      !busy && h("div", { className: "as-upload-choose" },
        h("label", { className: "as-button" }, props.label,
          h("input", { type: "file", className: "as-upload-input", onChange: choose })),
        h("span", { className: "as-muted as-small" }, props.hint)),
      stateOf(state, () => running.current && running.current.abort()));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.Upload = Upload;
})();
