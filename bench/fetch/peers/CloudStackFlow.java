import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.httpclient.HttpClient;
import org.apache.commons.httpclient.MultiThreadedHttpConnectionManager;
import org.apache.commons.httpclient.methods.GetMethod;
import org.apache.commons.io.IOUtils;

/**
 * What a KVM agent of Apache CloudStack does with a direct-download template, step by step and with the libraries it does
 * it with (commons-httpclient 3, commons-io): one GET into a scratch file, a pass for the checksum, a pass of an unpacking
 * program, a move into the pool or a conversion by qemu-img. Written anew for this benchmark, in its favour where there is
 * a choice: scratch file and pool are on one file system, and the free-space and size requests it makes first are left
 * out. What it does not do, and everybody pays for here, is to sync the file and its directory at the end.
 *
 * Each line is `URL SHA256 SCRATCH-DIRECTORY TARGET STORE [UNPACKER...]`.
 */
public final class CloudStackFlow {
    private static final MultiThreadedHttpConnectionManager CONNECTIONS = new MultiThreadedHttpConnectionManager();

    public static void main(String[] arguments) throws IOException {
        CONNECTIONS.getParams().setConnectionTimeout(5000);
        CONNECTIONS.getParams().setSoTimeout(5000);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                deploy(line.split(" "));
                System.out.println("ok");
            } catch (Exception error) {
                System.out.println("failed " + error);
            }
        }
    }

    private static void deploy(String[] words) throws Exception {
        File scratch = new File(words[2], "template");
        File target = new File(words[3]);
        download(words[0], scratch);
        if (!digestOf(scratch).equals(words[1])) {
            throw new IOException("wrong checksum");
        }
        if (words.length > 5) {
            run(scratch, target, Arrays.asList(words).subList(5, words.length));
            Files.delete(scratch.toPath());
        } else if (words[4].equals("raw")) {
            run(null, null, List.of("qemu-img", "convert", "-f", "qcow2", "-O", "raw", scratch.getPath(), target.getPath()));
            Files.delete(scratch.toPath());
        } else {
            run(null, null, List.of("mv", scratch.getPath(), target.getPath()));
        }
        sync(target.toPath(), StandardOpenOption.WRITE);
        sync(target.getParentFile().toPath(), StandardOpenOption.READ);
    }

    private static void download(String url, File to) throws IOException {
        GetMethod request = new GetMethod(url);
        try {
            int status = new HttpClient(CONNECTIONS).executeMethod(request);
            if (status != 200) {
                throw new IOException("HTTP status " + status);
            }
            try (InputStream in = request.getResponseBodyAsStream(); OutputStream out = new FileOutputStream(to)) {
                IOUtils.copyLarge(in, out);
            }
        } finally {
            request.releaseConnection();
        }
    }

    private static String digestOf(File file) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[8192];
        try (InputStream in = new FileInputStream(file)) {
            for (int read = in.read(buffer); read > 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
        return String.format("%064x", new BigInteger(1, digest.digest()));
    }

    private static void run(File from, File to, List<String> command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(new ArrayList<>(command));
        builder.redirectError(ProcessBuilder.Redirect.INHERIT);
        if (from != null) {
            builder.redirectInput(from);
        }
        if (to != null) {
            builder.redirectOutput(to);
        }
        int code = builder.start().waitFor();
        if (code != 0) {
            throw new IOException(command + ": exit code " + code);
        }
    }

    private static void sync(Path path, StandardOpenOption how) throws IOException {
        try (FileChannel channel = FileChannel.open(path, how)) {
            channel.force(true);
        }
    }
}
