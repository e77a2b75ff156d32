import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import software.amazon.event.ruler.Machine;

/**
 * Matches events with AWS's event-ruler on one thread: `EventRuler PATTERNS EVENTS`, files with a JSON object a line.
 *
 * It adds all patterns and says {"compile_ns": …, "counts": […]} with how many patterns each event matches. Then it
 * answers each line it is sent, "text" or "tree" (whether to parse the events, or to take them parsed), with
 * {"ns": …, "matches": …}: what one pass over all events takes and finds, once it is warm. Times are CPU time of the
 * whole process, its garbage collector included.
 */
public final class EventRuler {
    private static final long WARM_UP_NS = 3_000_000_000L;
    // The clock of CPU time ticks every 10 ms.
    private static final long LEAST_NS = 300_000_000L;
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final Machine machine = Machine.builder().build();
    private final List<String> texts;
    private final List<JsonNode> trees = new ArrayList<>();
    private boolean warm = false;

    private EventRuler(List<String> texts) throws Exception {
        this.texts = texts;
        ObjectMapper mapper = new ObjectMapper();
        for (String text : texts) {
            trees.add(mapper.readTree(text));
        }
    }

    public static void main(String[] arguments) throws Exception {
        List<String> patterns = Files.readAllLines(Path.of(arguments[0]));
        EventRuler ruler = new EventRuler(Files.readAllLines(Path.of(arguments[1])));
        long compiled = ruler.add(patterns);
        System.out.printf("{\"compile_ns\": %d, \"counts\": %s}%n", compiled, ruler.counts());
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        for (String line = asked.readLine(); line != null; line = asked.readLine()) {
            ruler.warmUp();
            System.out.println(ruler.measured(line, LEAST_NS));
        }
    }

    private long add(List<String> patterns) throws Exception {
        long began = SYSTEM.getProcessCpuTime();
        for (int number = 0; number < patterns.size(); number++) {
            machine.addRule(Integer.toString(number), patterns.get(number));
        }
        return SYSTEM.getProcessCpuTime() - began;
    }

    private List<Integer> counts() throws Exception {
        List<Integer> counts = new ArrayList<>();
        for (String text : texts) {
            counts.add(machine.rulesForJSONEvent(text).size());
        }
        return counts;
    }

    private void warmUp() throws Exception {
        if (!warm) {
            measured("text", WARM_UP_NS);
            measured("tree", WARM_UP_NS);
            warm = true;
        }
    }

    private String measured(String from, long leastNs) throws Exception {
        long began = SYSTEM.getProcessCpuTime();
        long passes = 0;
        long matches = 0;
        long took = 0;
        while (took < leastNs) {
            matches += from.equals("tree") ? passOverTrees() : passOverTexts();
            passes++;
            took = SYSTEM.getProcessCpuTime() - began;
        }
        return String.format("{\"ns\": %d, \"matches\": %d}", took / passes, matches / passes);
    }

    private long passOverTexts() throws Exception {
        long matches = 0;
        for (String text : texts) {
            matches += machine.rulesForJSONEvent(text).size();
        }
        return matches;
    }

    private long passOverTrees() {
        long matches = 0;
        for (JsonNode tree : trees) {
            matches += machine.rulesForJSONEvent(tree).size();
        }
        return matches;
    }
}
