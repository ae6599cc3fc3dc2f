// http of Node.js: a server that sends a file and answers a POST with its digest; a client with an agent that
// keeps connections.
//   node http_peer.js server ADDRESS PORT FILE
//   node http_peer.js client ADDRESS PORT SHA256 REQUESTS
const http = require('http'), fs = require('fs'), crypto = require('crypto');
const [role, address, port, what, count] = process.argv.slice(2);

function serve() {
  http.createServer((request, response) => {
    if (request.method === 'GET') return fs.createReadStream(what).pipe(response);
    const hash = crypto.createHash('sha256');
    request.on('data', (block) => hash.update(block)).on('end', () => response.end(hash.digest('hex')));
  }).listen(Number(port), address);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
function ask(method, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: address, port, path: '/', method, agent }, (response) => {
      const blocks = [];
      response.on('data', (block) => blocks.push(block)).on('end', () => resolve(Buffer.concat(blocks)));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function fetchAll() {
  const answers = await Promise.all(Array.from({ length: Number(count) }, () => ask('GET')));
  for (const answer of answers) {
    const digest = crypto.createHash('sha256').update(answer).digest('hex');
    if (digest !== what) throw new Error(`wrong octets: ${answer.length}`);
  }
  const said = (await ask('POST', answers[0])).toString();
  if (said !== what) throw new Error(`the server got other octets: ${said}`);
  agent.destroy();
  console.log('right');
}

if (role === 'server') serve();
else fetchAll().catch((error) => { console.error(error); process.exit(1); });
