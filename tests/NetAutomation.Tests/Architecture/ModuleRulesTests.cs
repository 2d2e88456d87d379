using Microsoft.Extensions.Hosting;
using Mono.Cecil;
using Mono.Cecil.Cil;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Architecture;

/// <summary>
/// The face rule (code outside module X names only types of namespace NetAutomation.X, never of a namespace below it) and the direction
/// table, which is read from docs/architecture.md so that the picture there stays true.
/// </summary>
public sealed class ModuleRulesTests
{
    private const string Root = "NetAutomation";

    // Composition: the root namespace names every module's AddX and MapX.
    private static readonly string[] _foundations = ["Persistence", "Web"];

    [Fact]
    public void Code_outside_a_module_names_only_its_face()
    {
        var faults = Uses()
            .Where(use => use.From != use.To.Module && use.To.Inner && use.From != "" && !_foundations.Contains(use.To.Module))
                .Select(use => use.Text);
        faults.Distinct().Order().ShouldBeEmpty();
    }

    [Fact]
    public void Modules_use_each_other_only_as_the_direction_table_says()
    {
        var allowed = DirectionTable();
        var faults = Uses()
            .Where(use => use.From != "" && use.To.Module != "" && use.From != use.To.Module)
            .Where(use =>
                !(_foundations.Contains(use.To.Module)
                    && (!_foundations.Contains(use.From)
                        || use is { From: "Web", To.Module: "Persistence" } or { From: "Persistence", To.Module: "Web" })))
            .Where(use => !allowed.Contains((use.From, use.To.Module)))
            .Select(use => use.Text);
        faults.Distinct().Order().ShouldBeEmpty();
    }

    [Fact]
    public void The_direction_table_has_no_cycle()
    {
        var table = DirectionTable();
        var modules = table.SelectMany(edge => new[] { edge.From, edge.To }).Distinct().ToHashSet();
        while (modules.Where(module => !table.Any(edge => edge.From == module && modules.Contains(edge.To)))
            .ToList() is { Count: > 0 } leaves)
        {
            modules.ExceptWith(leaves);
        }

        modules.ShouldBeEmpty();
    }

    [Fact]
    public void The_system_role_is_used_in_the_listed_folders_only()
    {
        var listed = Section("System role").Select(line => line.Trim('-', ' ', '`'));
        var users = Uses().Where(use => use.Target == "NetAutomation.Persistence.SystemDb" && use.From is not ("Persistence" or ""))
            .Select(use => use.Folder).Distinct();
        users.Order(StringComparer.Ordinal).ShouldBe(listed);
    }

    [Fact]
    public void Only_listeners_and_the_worker_repeat_themselves_without_a_loop()
    {
        var types = typeof(Money).Assembly.GetTypes().Where(type => type.BaseType == typeof(BackgroundService));
        types.Select(type => type.Name).Order(StringComparer.Ordinal).ShouldBe(["LoopHost", "NotificationChannel", "Worker"]);
    }

    private static HashSet<(string From, string To)> DirectionTable() =>
    [
        .. Section("Direction table").Where(line => line.Contains("->", StringComparison.Ordinal)).SelectMany(line =>
        {
            var sides = line.Trim('-', ' ').Split("->", 2, StringSplitOptions.TrimEntries);
            return sides[1].Split(',', StringSplitOptions.TrimEntries).Select(to => (sides[0].TrimStart('-', ' '), to));
        }),
    ];

    private static IEnumerable<string> Section(string heading) =>
        File.ReadLines(Path.Combine(PostgresServer.RepositoryRoot(), "docs/architecture.md"))
        .SkipWhile(line => line != $"## {heading}").Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
            .Where(line => line.StartsWith("- ", StringComparison.Ordinal));

    private static List<Use> Uses()
    {
        using var assembly = AssemblyDefinition.ReadAssembly(typeof(Money).Assembly.Location);
        var uses = new List<Use>();
        foreach (var type in assembly.MainModule.GetTypes())
        {
            var outer = type;
            while (outer.DeclaringType is not null)
            {
                outer = outer.DeclaringType;
            }

            if (!outer.Namespace.StartsWith(Root, StringComparison.Ordinal))
            {
                continue;
            }

            var from = Module(outer.Namespace).Module;
            foreach (var named in Named(type).SelectMany(Flatten))
            {
                var target = named;
                while (target.DeclaringType is not null)
                {
                    target = target.DeclaringType;
                }

                if (target.Scope == assembly.MainModule && target.Namespace.StartsWith(Root, StringComparison.Ordinal))
                {
                    uses.Add(
                        new Use(
                            from, outer.Namespace[(Root.Length + (outer.Namespace == Root ? 0 : 1))..].Replace('.', '/'),
                            Module(target.Namespace), target.FullName, $"{outer.FullName} uses {target.FullName}"));
                }
            }
        }

        return uses;
    }

    private static (string Module, bool Inner) Module(string name)
    {
        var parts = name.Split('.');
        return (parts.Length > 1 ? parts[1] : "", parts.Length > 2);
    }

    private static IEnumerable<TypeReference> Named(TypeDefinition type)
    {
        IEnumerable<TypeReference?> own =
            [type.BaseType, .. type.Interfaces.Select(i => i.InterfaceType), .. type.CustomAttributes.Select(a => a.AttributeType),
            .. type.Fields.Select(f => f.FieldType),
            .. type.GenericParameters.SelectMany(p => p.Constraints.Select(c => c.ConstraintType))];
        var methods = type.Methods.SelectMany(method => new TypeReference?[] { method.ReturnType }
            .Concat(method.Parameters.Select(p => p.ParameterType))
            .Concat(
                method.HasBody
                    ? method.Body.Variables.Select(v => v.VariableType).Concat(method.Body.Instructions.SelectMany(Operand)) : []));
        return own.Concat(methods).OfType<TypeReference>();
    }

    private static IEnumerable<TypeReference?> Operand(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        MethodReference method =>
            [method.DeclaringType, method.ReturnType, .. method.Parameters.Select(p => p.ParameterType),
                .. method is GenericInstanceMethod generic ? generic.GenericArguments : []],
        FieldReference field => [field.DeclaringType, field.FieldType],
        _ => [],
    };

    private static IEnumerable<TypeReference> Flatten(TypeReference type) => type switch
    {
        GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Flatten)],
        TypeSpecification specification => Flatten(specification.ElementType),
        GenericParameter => [],
        _ => [type],
    };

    private sealed record Use(string From, string Folder, (string Module, bool Inner) To, string Target, string Text);
}
