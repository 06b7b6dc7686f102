import java.sql.DriverManager;

/** Connects with the shown URL.  The text comes on stdin, the row goes to stdout. */
class Connect {
    public static void main(String[] none) throws Exception {
        String url = new String(System.in.readAllBytes());
        try (var connection = DriverManager.getConnection(url);
                var row = connection.createStatement().executeQuery("SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())")) {
            row.next();
            System.out.println(row.getString(1));
        }
    }
}
