using System.Reflection;
using Microsoft.Extensions.Logging;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Architecture;

/// <summary>Rules of the code's form that no compiler knows.</summary>
public sealed class CodeStyleTests
{
    private const int LongestLine = 140;
    private static readonly string _root = PostgresServer.RepositoryRoot();

    [Fact]
    public void No_line_of_code_is_too_long()
    {
        var found =
            from directory in new[] { "src", "tests" }
            from path in Directory.EnumerateFiles($"{_root}/{directory}", "*", SearchOption.AllDirectories)
            where Path.GetExtension(path) is ".cs" or ".py" or ".sql"
            where !path.Split('/').Any(part => part is "bin" or "obj")
            from line in File.ReadLines(path).Index()
            where line.Item.Length > LongestLine
            select $"{Path.GetRelativePath(_root, path)}:{line.Index + 1}";

        found.ShouldBeEmpty();
    }

    [Fact]
    public void Event_ids_of_log_messages_are_unique_and_each_hundred_belongs_to_one_module()
    {
        var messages = (
            from type in typeof(Service).Assembly.GetTypes()
            from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            let message = method.GetCustomAttribute<LoggerMessageAttribute>()
            where message is not null
            select (message.EventId, Module: type.FullName!.Split('.')[1], Name: $"{type.FullName}.{method.Name}")).ToList();

        messages.ShouldNotBeEmpty();
        messages.GroupBy(message => message.EventId).Where(same => same.Count() > 1)
            .Select(same => $"{same.Key}: {string.Join(", ", same.Select(message => message.Name))}").ShouldBeEmpty();
        messages.GroupBy(message => message.EventId / 100, message => message.Module).Where(hundred => hundred.Distinct().Count() > 1)
            .Select(hundred => $"{hundred.Key}00: {string.Join(", ", hundred.Distinct())}").ShouldBeEmpty();
    }
}
