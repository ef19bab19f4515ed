// What every nginx here has in common, gateway or upstream: one worker, its files in a folder of its own.

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** A whole configuration around what stands in its block `http`. */
export const framed = (folder, http) => `
${process.getuid() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  sendfile on;
  tcp_nopush on;
  ${TEMPORARY.map((use) => `${use}_temp_path ${folder}/${use};`).join(" ")}
${http}
}`;
