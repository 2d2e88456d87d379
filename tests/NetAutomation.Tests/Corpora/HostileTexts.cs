using System.Globalization;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// Texts that some part of Ansible, YAML, a shell or a terminal takes for more than text. One that runs makes the marker appear, or
/// shows the product of two numbers that the text names.
/// </summary>
internal sealed class HostileTexts(Random dice)
{
    public const string Marker = "/tmp/marker";
    private const int One = 7919, Other = 7907;

    private static readonly string[] _payloads =
    [
        $"{One} * {Other}", $"lookup('pipe', 'touch {Marker}')", $"query('pipe','touch {Marker}')", $"lookup(\"pipe\",\"touch {Marker}\")",
        $"lookup('ansible.builtin.pipe', 'touch {Marker}')", $"lookup('file','/etc/passwd') ~ lookup('pipe','touch {Marker}')",
        $"cycler.__init__.__globals__.os.system('touch {Marker}')", $"lipsum.__globals__.os.popen('touch {Marker}').read()",
        "''.__class__.__mro__[1].__subclasses__()", $"namespace.__init__.__globals__['os'].system('touch {Marker}')",
        $"lookup('template', '{Marker}') or {One} * {Other}", $"lookup('vars', 'x', default={One} * {Other})",
        $"'{Marker}' | ansible.builtin.extract(hostvars)", $"lookup('subelements', [], '') or lookup('pipe', 'touch {Marker}')",
        $"self.__init__.__globals__.__builtins__.__import__('os').system('touch {Marker}')", $"({One} * {Other}) | string",
    ];

    // The payload is put in the place of P.
    private static readonly string[] _shapes =
    [
        "{{ P }}", "{{P}}", "{%- if P -%}x{%- endif -%}", "{% set x = P %}{{ x }}", "a {{ P }} b", "{#  #}{{ P }}",
        "{{ '{{' }} P }}", "\\{{ P }}", "{{ P }}\n{{ P }}", "{%raw%}{%endraw%}{{ P }}", "{{ P", "P }}",
        "{% for x in [1] %}{{ P }}{% endfor %}",
        "{% include P %}", "{% import P as x %}", "{{ P | safe }}", "\ufeff{{ P }}", "{\u200b{ P }}",
        "\u2028{{ P }}\u2028", "{{\u00a0P\u00a0}}",
        "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% P %]", "#jinja2:lstrip_blocks: True\n{{ P }}",
        "<% P %>", "${P}",
        "!unsafe '{{ P }}'", "!vault |\n  {{ P }}", "{\"__ansible_unsafe\": \"{{ P }}\"}", "{\"__ansible_vault\": \"P\"}",
        "{{ P }}\0", "\u001b[31m{{ P }}\u001b[0m", "\u001b]0;{{ P }}\u0007", "\u202e{{ P }}",
        "- hosts: all\n  tasks: [{debug: {msg: '{{ P }}'}}]",
        "&a {{ P }}", "*a", "? {{ P }}", "!!python/object/apply:os.system ['touch /tmp/marker']", "%TAG ! tag:x,2000:\n--- {{ P }}",
        "{{ {{ P }} }}", "{{ '{{ P }}' }}", "{{ \"{\" ~ \"{\" }} P", "x' or P or 'x", "x\") | P | (\"x",
    ];

    private static readonly string[] _whole =
    [
        $"$(touch {Marker})", $"`touch {Marker}`", $"; touch {Marker}", $"| touch {Marker}", $"& touch {Marker} &", $"> {Marker}",
        $"\ntouch {Marker}\n", $"\r\nend\r\nstart-shell touch {Marker}\r\n", $"x\ndo touch {Marker}", "%s%n{0}", "{{ undefined_name }}",
        "{{ block_input }}", "{{ hostvars }}", "{{ ansible_password }}", "AnsibleUnsafeText", "ansible_connection=local",
        "ansible_host: 127.0.0.1", "ansible_become_exe=touch", "- - -", "---", "...", "null", "~", "yes", "0o17", "1_000", "=", "<<: x",
        "../../../etc/passwd", "/dev/stdin", "@/etc/passwd", "file:///etc/passwd", $"-o ProxyCommand=touch {Marker}",
        $"--extra-vars=x", "localhost ansible_connection=local", "[all:vars]", "dev_1 ansible_host=127.0.0.1",
    ];

    /// <summary>What a text has become if it was evaluated.</summary>
    public static string Product { get; } = (One * Other).ToString(CultureInfo.InvariantCulture);

    public string Next()
    {
        var text = dice.Next(5) == 0 ? Pick(_whole) : Pick(_shapes).Replace("P", Pick(_payloads), StringComparison.Ordinal);
        return dice.Next(6) switch
        {
            0 => $"{Pick(" ", "\t", "\"", "'", "x: ", "- ", "{", "}", "\\")}{text}",
            1 => $"{text}{Pick(" ", "\\", "\"", "'", "\n", "\r", "#", ":", " %}", "}}")}",
            2 => text.Insert(dice.Next(text.Length + 1), Pick("\n", "\u001b[2K", "\u202e", "\u200d", "\0", "{{", "}}", "\"", "'", "\\")),
            _ => text,
        };
    }

    private T Pick<T>(params T[] from) => from[dice.Next(from.Length)];
}
