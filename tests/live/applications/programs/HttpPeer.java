// HttpServer (NIO selectors) and HttpClient (NIO, asynchronous) of the JDK.
//   java HttpPeer.java server ADDRESS PORT FILE
//   java HttpPeer.java client ADDRESS PORT FILE REQUESTS
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;

public class HttpPeer {
  static void serve(String address, int port, byte[] file) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(address, port), 0);
    server.createContext("/", exchange -> {
      byte[] got = exchange.getRequestBody().readAllBytes();
      boolean isGet = exchange.getRequestMethod().equals("GET");
      byte[] answer = isGet ? file : (Arrays.equals(got, file) ? "right" : "wrong").getBytes();
      exchange.sendResponseHeaders(200, answer.length);
      try (var out = exchange.getResponseBody()) {
        out.write(answer);
      }
    });
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.start();
  }

  static void fetch(String address, int port, byte[] file, int requests) throws Exception {
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    HttpRequest get = HttpRequest.newBuilder(URI.create("http://" + address + ":" + port + "/")).build();
    var all = new ArrayList<CompletableFuture<HttpResponse<byte[]>>>();
    for (int i = 0; i < requests; ++i) all.add(client.sendAsync(get, HttpResponse.BodyHandlers.ofByteArray()));
    for (var answer : all) {
      if (!Arrays.equals(answer.get().body(), file)) throw new Exception("wrong octets");
    }
    HttpRequest post = HttpRequest.newBuilder(get.uri()).POST(HttpRequest.BodyPublishers.ofByteArray(file)).build();
    String said = client.send(post, HttpResponse.BodyHandlers.ofString()).body();
    if (!said.equals("right")) throw new Exception("the server got other octets");
    System.out.println("right");
    System.exit(0);
  }

  public static void main(String[] words) throws Exception {
    byte[] file = Files.readAllBytes(Path.of(words[3]));
    int port = Integer.parseInt(words[2]);
    if (words[0].equals("server")) serve(words[1], port, file);
    else fetch(words[1], port, file, Integer.parseInt(words[4]));
  }
}
